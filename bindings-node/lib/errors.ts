// Errors: what the core names, as JavaScript shows it.

import { errorTable } from './errors.generated.js';

/** What is wrong with neither side's bytes: it has no row in the core's table. */
const ownTable = {
  /** The peer is silent for `pingTimeout` after a ping. */
  ping_timeout: { fault: 'protocol', status: 1011, section: 'RFC 6455 §5.5.2' },
} as const;

const table = { ...errorTable, ...ownTable };

/** The stable name of an error. */
export type ErrorName = keyof typeof table;

/** What ws calls the same thing, where it has a word for it: its code, and how its message begins. */
interface InWs {
  code?: string;
  begin: string;
}

const frame = (code: string): InWs => ({ code: `WS_ERR_${code}`, begin: 'Invalid WebSocket frame: ' });
const answer = (text: string): InWs => ({ begin: `${text}: ` });

/** The only place where the two vocabularies meet. Errors that are not here are this package's own. */
const IN_WS: { readonly [N in ErrorName]?: InWs } = {
  reserved_bits: frame('UNEXPECTED_RSV_2_3'),
  reserved_opcode: frame('INVALID_OPCODE'),
  unexpected_continuation: frame('INVALID_OPCODE'),
  expected_continuation: frame('INVALID_OPCODE'),
  unmasked_frame: frame('EXPECTED_MASK'),
  masked_frame: frame('UNEXPECTED_MASK'),
  fragmented_control: frame('EXPECTED_FIN'),
  control_too_long: frame('INVALID_CONTROL_PAYLOAD_LENGTH'),
  truncated_close_code: frame('INVALID_CONTROL_PAYLOAD_LENGTH'),
  invalid_close_code: frame('INVALID_CLOSE_CODE'),
  invalid_utf8: frame('INVALID_UTF8'),
  invalid_close_reason: frame('INVALID_UTF8'),
  length_overflow: { code: 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH', begin: 'Unsupported WebSocket frame: ' },
  frame_too_big: { code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', begin: 'Max payload size exceeded: ' },
  message_too_big: { code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', begin: 'Max payload size exceeded: ' },
  too_many_fragments: { code: 'WS_ERR_TOO_MANY_BUFFERED_PARTS', begin: 'Too many message fragments: ' },
  invalid_method: answer('Invalid HTTP method'),
  upgrade_required: answer('Invalid Upgrade header'),
  unsupported_version: answer('Missing or invalid Sec-WebSocket-Version header'),
  not_upgraded: answer('Invalid Upgrade header'),
  accept_mismatch: answer('Invalid Sec-WebSocket-Accept header'),
  unoffered_extension: answer('Server indicated an extension that was not requested'),
  invalid_extension: answer('Invalid Sec-WebSocket-Extensions header'),
  unoffered_subprotocol: answer('Server sent an invalid subprotocol'),
};

/** RSV2 and RSV3, in the three bits that a record tells. */
const RSV_2_3 = 0b011;

/** What went wrong on a connection or in its opening handshake. */
export class ItodenError extends Error {
  /** The code of ws where it has one, as `WS_ERR_INVALID_UTF8`; else `ITODEN_` and the stable name in upper case. */
  readonly code: string;
  /** The stable name, the same in every language that itoden is for: `invalid_utf8`. */
  readonly rule: ErrorName;
  /** The close code that the peer was sent, where the error ended a connection. */
  readonly closeCode?: number;
  /** The HTTP status of the response, where the opening handshake failed. */
  readonly statusCode?: number;
  /** Where the rule stands that was broken, as `RFC 6455 §8.1`. */
  readonly section: string;

  constructor(name: ErrorName, message: string, statusCode?: number, code?: string) {
    super(message);
    const row = table[name];
    this.code = code ?? codeOf(name);
    this.rule = name;
    this.section = row.section;
    if (row.fault === 'protocol') this.closeCode = row.status;
    const status = statusCode ?? (row.fault === 'handshake' ? row.status : 0);
    if (status) this.statusCode = status;
  }

  static {
    // On the prototype, as for the errors of the language.
    Object.defineProperty(this.prototype, 'name', { value: 'ItodenError', writable: true, configurable: true });
  }
}

/** An error as a record of the addon tells it. */
export interface TellsError {
  name?: string;
  message: string;
  statusCode?: number;
  /** The reserved bits that came, where they are what is wrong. */
  bits?: number;
}

const codeOf = (name: ErrorName): string => IN_WS[name]?.code ?? `ITODEN_${name.toUpperCase()}`;

const isName = (name: unknown): name is ErrorName => typeof name === 'string' && Object.hasOwn(table, name);

/** The error that a record tells of. */
export function fromRecord({ name, message, statusCode, bits }: TellsError): Error {
  if (!isName(name)) return new Error(message);
  const code = bits !== undefined && !(bits & RSV_2_3) ? 'WS_ERR_UNEXPECTED_RSV_1' : undefined;
  return new ItodenError(name, `${IN_WS[name]?.begin ?? ''}${message}`, statusCode, code);
}

/** Runs a function of the addon; what it throws by a name of the core becomes an `ItodenError`. */
export function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || !isName(error.code)) throw error;
    throw fromRecord({ name: error.code, message: error.message });
  }
}

/** An error of the operating system in Node's form: `connect ECONNREFUSED 127.0.0.1:8080`. */
export function systemError(syscall: string, code: string, address: string, port: number, detail: string): Error {
  const error = new Error(`${syscall} ${code}${detail && `: ${detail}`} ${address}:${port}`);
  return Object.assign(error, { code, syscall, address, port });
}

/** What Node says where an AbortSignal ends something. */
export function abortError(reason: unknown): Error {
  const error = new Error('The operation was aborted', { cause: reason });
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' });
}

/** A user's function threw: the process hears of it, and everyone else's records are still told. */
export function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
