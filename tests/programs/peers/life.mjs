// The life of a peer's program in JavaScript: its standard input has a job a line, {"id", "url", "protocols", "headers"}: a
// connection to make. Its standard output says, a line of JSON each, first where it serves, then how each connection
// ended. It ends with its input. `programs/peers/life.py` is the same in Python.

import process from 'node:process';

/** The paths of the certificate of the authority, of this server's, and of its key. */
export const [authority, certificate, key] = process.argv.slice(2);

export const say = (line) => console.log(JSON.stringify(line));

/** Which connection a request is for. @param {string} url */
export const idOf = (url) => Number(new URL(url, 'http://localhost').searchParams.get('id'));

/**
 * Makes the connections that are asked for, until the input ends.
 * @param {(job: { id: number, url: string, protocols: string[], headers: Record<string, string> }) => Promise<object>} connect
 */
export async function live(connect) {
  let rest = '';
  process.stdin.setEncoding('utf8');
  for await (const text of process.stdin) {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const job = JSON.parse(line);
      connect(job).then(
        (report) => say({ id: job.id, ...report }),
        (error) => say({ id: job.id, error: String(error) }),
      );
    }
  }
  process.exit();
}
