// What every peer does with a connection, for sockets with the API of browsers: sends back what comes and does what it is
// told. A text message that begins with '!' is an order, as JSON:
//   {"close": [code, reason]}, {"close": []}   closes so
//   {"ping": true}                             pings, and says `ponged` when the pong has come
//   {"drop": true}                             ends the transport without a Close frame
//
// The function stands alone, since it is also sent to pages as its source.

/**
 * @param {WebSocket} ws
 * @param {Record<string, (ws: WebSocket) => void>} [abilities] how to obey `ping` and `drop`, where that can be done
 * @returns {Promise<object>} what the connection was and how it ended
 */
export function echo(ws, abilities = {}) {
  return new Promise((resolve) => {
    let agreed = { protocol: ws.protocol, extensions: ws.extensions };
    ws.binaryType = 'arraybuffer';
    ws.onopen = () => void (agreed = { protocol: ws.protocol, extensions: ws.extensions });
    ws.onmessage = ({ data }) => {
      if (typeof data !== 'string' || !data.startsWith('!')) return ws.send(data);
      const [[order, value]] = Object.entries(JSON.parse(data.slice(1)));
      if (order === 'close') ws.close(...value);
      else abilities[order](ws);
    };
    // What went wrong is told by the close event.
    ws.onerror = () => {};
    ws.onclose = ({ code, reason, wasClean }) => resolve({ ...agreed, code, reason, clean: wasClean });
  });
}
