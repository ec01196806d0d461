// @ts-check
// What people paste.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReadError, readText } from '../page/readers/text.js';

const hello = '818537fa213d7f9f4d5158';
const read = (/** @type {string} */ text) => {
  const { bytes, format } = readText(text);
  return [Buffer.from(bytes).toString('hex'), format];
};

for (const [name, text] of Object.entries({
  'digits in one word': hello,
  'pairs with spaces': '81 85 37 fa 21 3d 7f 9f 4d 51 58',
  'capitals over several lines': '81 85 37 FA\r\n21 3D 7F 9F\r\n4D 51 58\r\n',
  'pairs with colons': '81:85:37:fa:21:3d:7f:9f:4d:51:58',
  'an array of C': '{ 0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58 }',
  'bytes of Python': "b'\\x81\\x85\\x37\\xfa\\x21\\x3d\\x7f\\x9f\\x4d\\x51\\x58'",
  'a Buffer as Node prints it': '81 85 37 fa 21 3d 7f 9f 4d 51 58',
})) {
  test(`hex is read as ${name}`, () => assert.deepEqual(read(text), [hello, 'hex']));
}

// 'abcdef' and 'DEADBEEFCAFE1234' in the columns of characters look like hex themselves.
const long = '8118' + Buffer.from('abcdef DEADBEEFCAFE 1234').toString('hex');

for (const [name, text] of Object.entries({
  xxd: '00000000: 8118 6162 6364 6566 2044 4541 4442 4545  ..abcdef DEADBEE\n00000010: 4643 4146 4520 3132 3334                 FCAFE 1234\n',
  'hexdump -C': '00000000  81 18 61 62 63 64 65 66  20 44 45 41 44 42 45 45  |..abcdef DEADBEE|\n00000010  46 43 41 46 45 20 31 32  33 34                    |FCAFE 1234|\n0000001a\n',
  Wireshark: '0000   81 18 61 62 63 64 65 66 20 44 45 41 44 42 45 45   ..abcdef DEADBEE\n0010   46 43 41 46 45 20 31 32 33 34                     FCAFE 1234\n',
  'tcpdump -X': '\t0x0000:  8118 6162 6364 6566 2044 4541 4442 4545  ..abcdef DEADBEE\n\t0x0010:  4643 4146 4520 3132 3334                 FCAFE 1234\n',
})) {
  test(`a dump of ${name} is read without its offsets and characters`, () => assert.deepEqual(read(text), [long, 'dump']));
}

test('base64 is read, that of URLs too, over several lines', () => {
  const text = Buffer.from(hello, 'hex').toString('base64');
  assert.deepEqual(read(text), [hello, 'base64']);
  assert.deepEqual(read(`${text.slice(0, 8)}\n${text.slice(8)}`), [hello, 'base64']);
  assert.deepEqual(read('-__-'), ['fbfffe', 'base64']);
});

for (const [name, text, message] of /** @type {[string, string, RegExp][]} */ ([
  ['nothing', ' \n ', /nothing here/],
  ['half a byte', '81 8', /Line 1 has '8', which is 1 hex digits/],
  ['what is neither', '81 85\n37 fx', /Line 2 has 'fx', which is no hex: allowed are/],
  ['base64 of no length', 'zzzzz', /5 characters can't be whole bytes/],
  ['lines that were left out', '00000000  81 85\n*\n00000020  81', /Line 2 is '\*'.*hexdump -Cv/],
  ['a dump that lacks bytes', '0000   81 85\n0010   81', /Line 1 of the dump has 2 bytes, but the offset of the next line says 16/],
])) {
  test(`${name} is told`, () => assert.throws(() => readText(text), (error) => error instanceof ReadError && message.test(error.message)));
}
