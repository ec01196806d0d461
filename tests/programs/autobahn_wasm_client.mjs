// The client under test of the Autobahn suite, with the session in WebAssembly: `wstest -m fuzzingserver`.
//
//   node autobahn_wasm_client.mjs 127.0.0.1:9001
import { connect, echo } from './wasm_session.mjs';

const [host, port] = process.argv[2].split(':');
const next = (session, name) => new Promise((resolve) => session.addEventListener(name, resolve, { once: true }));

const counter = await connect(host, Number(port), '/getCaseCount');
const closed = next(counter, 'close');
const { data: count } = await next(counter, 'message');
await closed;
for (let number = 1; number <= Number(count); number += 1) {
  // Most cases break the protocol; the session fails, as it must, and then closes.
  await next(echo(await connect(host, Number(port), `/runCase?case=${number}&agent=itoden`)), 'close');
}
await next(await connect(host, Number(port), '/updateReports?agent=itoden'), 'close');
