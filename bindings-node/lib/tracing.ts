// diagnostics_channel: what happens on every connection of the process, for those who observe it from outside. A channel
// that nobody has subscribed to costs the look whether somebody has.

import { channel } from 'node:diagnostics_channel';

/** The channels, each with what its messages have besides `websocket`. */
export const channels = {
  /** The handshake is done: `role` ('client' or 'server'), `url`, `protocol`, `extensions`. Published before 'open'. */
  open: channel('itoden:websocket:open'),
  /** It is CLOSED: `code`, `reason` (a string), `wasClean`. Published before 'close'. */
  close: channel('itoden:websocket:close'),
  /** `error`. Published before 'error', also where nobody listens for that. */
  error: channel('itoden:websocket:error'),
  /** A message came: `data`, `isBinary`, as listeners of 'message' get them. */
  message: channel('itoden:websocket:message'),
  /** A message, or a fragment of one, is sent: `data` (a string or bytes, which must not be changed), `isBinary`, `fin`. */
  send: channel('itoden:websocket:send'),
  /** A ping came: `payload`. */
  ping: channel('itoden:websocket:ping'),
  /** A pong came: `payload`. */
  pong: channel('itoden:websocket:pong'),
};
