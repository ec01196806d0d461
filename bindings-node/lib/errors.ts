// Errors: what the core names, as JavaScript shows it.

import { errorTable } from './errors.generated.js';

/** The stable name of an error of the core. */
export type ErrorName = keyof typeof errorTable;

/** What went wrong on a connection or in its opening handshake. */
export class ItodenError extends Error {
  /** `ITODEN_` and the stable name in upper case, as `ITODEN_INVALID_UTF8`. */
  readonly code: string;
  /** The close code that the peer was sent, where the error ended a connection. */
  readonly closeCode?: number;
  /** The HTTP status of the response, where the opening handshake failed. */
  readonly statusCode?: number;
  /** Where the rule stands that was broken, as `RFC 6455 §8.1`. */
  readonly section: string;

  constructor(name: ErrorName, message: string, statusCode?: number) {
    super(message);
    const row = errorTable[name];
    this.code = codeOf(name);
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
}

const codeOf = (name: string): string => `ITODEN_${name.toUpperCase()}`;

const isName = (name: unknown): name is ErrorName => typeof name === 'string' && Object.hasOwn(errorTable, name);

/** The error that a record tells of. */
export function fromRecord({ name, message, statusCode }: TellsError): Error {
  return isName(name) ? new ItodenError(name, message, statusCode) : new Error(message);
}

/** Runs a function of the addon; what it throws by a name of the core becomes an `ItodenError`. */
export function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || !isName(error.code)) throw error;
    throw new ItodenError(error.code, error.message);
  }
}

/** An error of the operating system in Node's form: `connect ECONNREFUSED 127.0.0.1:8080`. */
export function systemError(syscall: string, code: string, address: string, port: number, detail: string): Error {
  const error = new Error(`${syscall} ${code}${detail && `: ${detail}`} ${address}:${port}`);
  return Object.assign(error, { code, syscall, address, port });
}

/** A user's function threw: the process hears of it, and everyone else's records are still told. */
export function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
