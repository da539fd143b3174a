/** An EFI program of one section, by Microsoft's PE format specification: enough of it to be signed and to be given more sections. */
export function program(text = 'code', { headerBytes = 0x400, tail = Buffer.alloc(0) } = {}): Buffer {
  const [peAt, optionalBytes] = [0x80, 240];
  const head = Buffer.alloc(headerBytes);
  head.write('MZ', 0, 'latin1');
  head.writeUInt32LE(peAt, 0x3c);
  head.write('PE\0\0', peAt, 'latin1');
  head.writeUInt16LE(0x8664, peAt + 4);
  head.writeUInt16LE(1, peAt + 6);
  head.writeUInt16LE(optionalBytes, peAt + 20);
  head.writeUInt16LE(0x0206, peAt + 22);
  const optional = peAt + 24;
  head.writeUInt16LE(0x20b, optional);
  for (const [offset, value] of [[16, 0x1000], [20, 0x1000], [32, 0x1000], [36, 0x200], [56, 0x2000], [60, headerBytes], [108, 16]] as const) head.writeUInt32LE(value, optional + offset);
  // EFI application
  head.writeUInt16LE(10, optional + 68);
  const section = optional + optionalBytes;
  const content = Buffer.alloc(0x200, text);
  head.write('.text', section, 'latin1');
  for (const [offset, value] of [[8, content.length], [12, 0x1000], [16, content.length], [20, headerBytes], [36, 0x6000_0020]] as const) head.writeUInt32LE(value, section + offset);
  return Buffer.concat([head, content, tail]);
}
