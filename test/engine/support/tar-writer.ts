const BLOCK = 512;

export interface TarOptions {
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  /** PAX records for the entry. */
  pax?: Record<string, string | Buffer>;
}

interface Raw extends TarOptions {
  path: string;
  flag: string;
  link?: string;
  content?: Buffer;
  /** Overrides the length in the header. */
  size?: number;
  major?: number;
  minor?: number;
}

/** Independent of the reader under test: plain ustar blocks, written byte by byte. */
export function tarEntry(raw: Raw): Buffer {
  const parts: Buffer[] = [];
  if (raw.pax !== undefined) {
    const records = Buffer.concat(Object.entries(raw.pax).map(([key, value]) => paxRecord(key, Buffer.isBuffer(value) ? value : Buffer.from(value))));
    parts.push(header({ path: 'pax', flag: 'x', content: records }), padded(records));
  }
  parts.push(header(raw), padded(raw.content ?? Buffer.alloc(0)));
  return Buffer.concat(parts);
}

export function tarFile(path: string, content: string | Buffer, options: TarOptions = {}): Buffer {
  return tarEntry({ path, flag: '0', content: Buffer.isBuffer(content) ? content : Buffer.from(content), ...options });
}

export function tarFolder(path: string, options: TarOptions = {}): Buffer {
  return tarEntry({ path: `${path}/`, flag: '5', mode: 0o755, ...options });
}

export function tarSymlink(path: string, target: string): Buffer {
  return tarEntry({ path, flag: '2', link: target, mode: 0o777 });
}

export function tarHardlink(path: string, target: string): Buffer {
  return tarEntry({ path, flag: '1', link: target });
}

export function tarOf(entries: readonly Buffer[]): Buffer {
  return Buffer.concat([...entries, Buffer.alloc(2 * BLOCK)]);
}

function header({ path, flag, link = '', content, size, mode = 0o644, uid = 0, gid = 0, mtime = 1_700_000_000, major = 0, minor = 0 }: Raw): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number): void => {
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  };
  block.write(path, 0, 100);
  octal(mode, 100, 8);
  octal(uid, 108, 8);
  octal(gid, 116, 8);
  octal(size ?? content?.length ?? 0, 124, 12);
  octal(mtime, 136, 12);
  block.write('        ', 148);
  block.write(flag, 156);
  block.write(link, 157, 100);
  block.write('ustar\x0000', 257, 'latin1');
  octal(major, 329, 8);
  octal(minor, 337, 8);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function padded(content: Buffer): Buffer {
  const rest = content.length % BLOCK;
  return rest === 0 ? content : Buffer.concat([content, Buffer.alloc(BLOCK - rest)]);
}

function paxRecord(key: string, value: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length += 1;
  return Buffer.concat([Buffer.from(String(length)), body]);
}
