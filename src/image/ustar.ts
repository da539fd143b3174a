import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

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

/** Writes an archive of these members, one after the other. @throws Error on a path that does not fit, and when a file is not as long as was said */
export async function writeUstar(archive: string, members: Iterable<UstarMember & { content?: Buffer | { file: string } }>): Promise<void> {
  async function* parts(): AsyncGenerator<Buffer> {
    for (const { content, ...member } of members) {
      yield ustarHeader(member);
      let given = 0;
      for await (const chunk of contentOf(content)) {
        given += chunk.length;
        yield chunk;
      }
      if (given !== member.sizeBytes) throw new Error(`${member.path} has ${given} bytes instead of ${member.sizeBytes}`);
      yield ustarPadding(given);
    }
    yield ustarEnd;
  }
  await pipeline(Readable.from(parts()), createWriteStream(archive));
}

function contentOf(content: Buffer | { file: string } | undefined): Iterable<Buffer> | AsyncIterable<Buffer> {
  if (content === undefined) return [];
  return Buffer.isBuffer(content) ? [content] : createReadStream(content.file);
}

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
