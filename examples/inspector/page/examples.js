// @ts-check
// Bytes to begin with.

/** @type {{ name: string, text: string, extensions?: string, sender?: 'client' | 'server' }[]} */
export const examples = [
  { name: 'Hello, masked (RFC 6455 §5.7)', text: '81 85 37 fa 21 3d 7f 9f 4d 51 58' },
  { name: 'in fragments, a ping between', text: '01 03 48 65 6c\n89 05 48 65 6c 6c 6f\n80 02 6c 6f' },
  { name: 'compressed (RFC 7692 §7.2.3)', text: 'c1 07 f2 48 cd c9 c9 07 00\nc1 05 f2 00 11 00 00', extensions: 'permessage-deflate' },
  { name: 'text that is not UTF-8', text: '81 0a 63 61 66 c3 a9 20 e2 82 28 21' },
  { name: 'a length that is too long', text: '82 7e 00 05 01 02 03 04 05' },
  { name: 'a server that masks', text: '81 85 37 fa 21 3d 7f 9f 4d 51 58', sender: 'server' },
];
