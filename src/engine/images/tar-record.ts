import { concat, encode, pathText, putText, text } from 'host:bytes';
import { TarError, type SparseRange } from '../archive/index.ts';

/**
 * What is needed besides the extracted files to make an archive again, byte by byte: everything that is no file's content, and between it
 * which file's content stood there. Segments have a head of nine characters, kind and length in hexadecimal: 'r' for bytes as they stood,
 * 'f' for JSON [path, length] or [path, [[offset, length] …]] of a file with holes, 'e' for the end.
 */
export interface FileContent {
  path: string;
  /** Where in the file the archive's data lies, in order. */
  ranges: readonly SparseRange[];
}

export type RecordSegment = { kind: 'bytes'; bytes: Uint8Array } | { kind: 'file'; content: FileContent };

export interface TarRecordWriter {
  /** The bytes may change afterwards. */
  bytes(bytes: Uint8Array): void;
  file(path: string, sizeBytes: number, sparse: readonly SparseRange[] | undefined): void;
  end(): void;
}

const HEAD_BYTES = 9;
const BUFFER_BYTES = 64 * 1024;
/** A file with as many ranges as an archive may name, and a long path. */
const SEGMENT_LIMIT_BYTES = 8 * 1024 * 1024;

export function createTarRecordWriter(write: (bytes: Uint8Array) => void): TarRecordWriter {
  const buffer = new Uint8Array(BUFFER_BYTES);
  let used = 0;
  const flush = (): void => {
    if (used > 0) write(buffer.subarray(0, used));
    used = 0;
  };
  const put = (bytes: Uint8Array): void => {
    if (bytes.length > BUFFER_BYTES - used) flush();
    if (bytes.length > BUFFER_BYTES) return write(bytes);
    buffer.set(bytes, used);
    used += bytes.length;
  };
  const segment = (kind: string, content: Uint8Array): void => {
    if (used > BUFFER_BYTES - HEAD_BYTES) flush();
    used += putText(buffer, used, used + HEAD_BYTES, kind + content.length.toString(16).padStart(8, '0'));
    put(content);
  };
  return {
    bytes: (bytes) => segment('r', bytes),
    file: (path, sizeBytes, sparse) => segment('f', encode(JSON.stringify([path, sparse === undefined ? sizeBytes : sparse.map((range) => [range.offset, range.sizeBytes])]))),
    end() {
      segment('e', new Uint8Array(0));
      flush();
    },
  };
}

/**
 * The segments of a record, which is trusted: it is our own. `pull` gives its next bytes, null at the end. All of it without promises, of
 * which 100,000 small files would want a million. Throws TarError when it is damaged or cut short.
 */
export function* readTarRecord(pull: () => Uint8Array | null): Generator<RecordSegment> {
  let held: Uint8Array = new Uint8Array(0);
  const exactly = (count: number): Uint8Array => {
    if (held.length < count) {
      const parts = [held];
      for (let have = held.length; have < count; ) {
        const more = pull();
        if (more === null) throw new TarError('the record of the archive is cut short');
        parts.push(more);
        have += more.length;
      }
      held = concat(parts);
    }
    const bytes = held.subarray(0, count);
    held = held.subarray(count);
    return bytes;
  };
  for (;;) {
    const [, kind, digits = ''] = /^([rfe])([0-9a-f]{8})$/.exec(text(exactly(HEAD_BYTES))) ?? [];
    const length = Number.parseInt(digits, 16);
    if (kind === 'e') return;
    if (kind === undefined || length > SEGMENT_LIMIT_BYTES) throw new TarError('the record of the archive is damaged');
    const bytes = exactly(length);
    yield kind === 'r' ? { kind: 'bytes', bytes } : { kind: 'file', content: parseFile(pathText(bytes)) };
  }
}

function parseFile(json: string): FileContent {
  const [path, where] = JSON.parse(json) as [string, number | [number, number][]];
  const ranges = typeof where === 'number' ? [{ offset: 0, sizeBytes: where }] : where.map(([offset, sizeBytes]) => ({ offset, sizeBytes }));
  return { path, ranges };
}
