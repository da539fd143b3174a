/** A member of an archive that is made here: of root, readable by all. */
export interface UstarMember {
  /** At most 100 bytes; a trailing / makes a folder. */
  path: string;
  sizeBytes: number;
  /** Default: 0644, of folders 0755. */
  mode?: number;
  /** Seconds since 1970. */
  mtime: number;
  /** Target, of a symbolic link. */
  link?: string;
}

const blockBytes = 512;

/** The end of an archive. */
export const ustarEnd = Buffer.alloc(2 * blockBytes);

/** What goes in front of a member's content (POSIX.1-1988 ustar). @throws Error on a path that does not fit */
export function ustarHeader({ path, sizeBytes, mode, mtime, link }: UstarMember): Buffer {
  if (Buffer.byteLength(path) > 100) throw new Error(`too long for a name in an archive: ${path}`);
  const folder = path.endsWith('/');
  const header = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, width: number): void => void header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at);
  header.write(path, 0);
  octal(mode ?? (folder ? 0o755 : 0o644), 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(sizeBytes, 124, 12);
  octal(mtime, 136, 12);
  header.fill(' ', 148, 156);
  header.write(link !== undefined ? '2' : folder ? '5' : '0', 156);
  header.write(link ?? '', 157);
  header.write('ustar\u000000', 257);
  header.write('root', 265);
  header.write('root', 297);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** What goes behind a member's content. */
export const ustarPadding = (sizeBytes: number): Buffer => Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
