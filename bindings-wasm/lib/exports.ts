// What the modules export, as src/ has it. Handles and addresses are numbers, and so are true and false.

/** @internal A handle, which is not 0. */
export type Handle = number;

type Flag = boolean | number;

/** @internal A module that lacks a part has none of that part's functions. */
export interface Exports {
  readonly memory: WebAssembly.Memory;

  // src/abi.rs, src/border.rs
  words(): number;
  reserve(length: number): number;
  mask_border(key: number, length: number): void;

  // src/decoder.rs
  decoder_new(receiver: number, allowedRsv: number, maxFrameSize: number): Handle;
  decoder_push(decoder: Handle, length: number): number;
  decoder_find(decoder: Handle, length: number, ahead: number): number;
  decoder_release(decoder: Handle): void;
  decoder_failure(decoder: Handle): void;
  decoder_is_between_frames(decoder: Handle): number;
  decoder_free(decoder: Handle): void;

  // src/encoder.rs
  headroom(): number;
  opcode_name(bits: number): number;
  random_key(): number;
  encode_data(first: number, masks: Flag, key: number, length: number): number;
  encode_control(opcode: number, masks: Flag, key: number, code: number, length: number): number;

  // src/connection.rs
  connection_new(client: Flag, keys: number, extensions: number): Handle | 0;
  connection_bytes(connection: Handle, now: number, apart: Flag, length: number): number;
  connection_took(connection: Handle, now: number, count: number): number;
  connection_step(connection: Handle, now: number, length: number): number;
  connection_eof(connection: Handle, now: number): number;
  connection_timeout(connection: Handle, now: number): number;
  connection_events(connection: Handle): number;
  connection_release(connection: Handle): void;
  connection_failure(connection: Handle): void;
  connection_send(connection: Handle, text: Flag, compress: Flag, length: number): number;
  connection_apart(connection: Handle, text: Flag, compress: Flag, length: number): number;
  connection_fragment(connection: Handle, text: Flag, fin: Flag, compress: Flag, length: number): number;
  connection_ping(connection: Handle, ping: Flag, length: number): number;
  connection_close(connection: Handle, now: number, code: number, length: number): number;
  connection_output(connection: Handle): void;
  connection_transmitted(connection: Handle): void;
  connection_state(connection: Handle): number;
  connection_buffered(connection: Handle): number;
  connection_deadline(connection: Handle): number;
  connection_free(connection: Handle): void;

  // src/text.rs
  text_units(address: number, length: number): void;

  // src/handshake.rs
  handshake_server(maxHeadSize: number, maxHeaders: number, openTimeout: number): Handle;
  handshake_client(
    carrier: number, subprotocols: number, deflate: number, maxHeadSize: number, maxHeaders: number, openTimeout: number,
    length: number,
  ): Handle | 0;
  handshake_bytes(handshake: Handle, length: number): number;
  handshake_list(handshake: Handle, length: number): number;
  handshake_accept(handshake: Handle, one: Flag, deflate: number, length: number): number;
  handshake_open(handshake: Handle): number;
  handshake_refuse(handshake: Handle, status: number, length: number): number;
  handshake_answer(handshake: Handle): number;
  handshake_deadline(handshake: Handle): number;
  handshake_timeout(handshake: Handle, now: number): number;
  handshake_free(handshake: Handle): void;
}
