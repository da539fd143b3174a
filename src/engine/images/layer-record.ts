import { gzip } from 'host:compress';
import { decompressed, hashed, type TarEntry } from '../archive/index.ts';
import { EngineError, systemErrorCode } from '../error.ts';
import type { ByteSource, Fd, Files, Root } from '../ports/index.ts';
import { parentPath } from './entry-path.ts';
import { createTarRecordWriter, readTarRecord, type FileContent } from './tar-record.ts';

/** Notes at extraction what will be needed to make the layer's archive again. */
export interface LayerRecorder {
  bytes(bytes: Uint8Array): void;
  /** After the content of a file has been written; `path` as given to the root. */
  file(entry: TarEntry, path: string): void;
  /** Takes away what stands at a path, but keeps the contents that the archive has had there. */
  clear(path: string): Promise<void>;
  /** Completes the record; nothing is synced. */
  end(): void;
  close(): void;
}

/** A file that a later entry of the same archive took the place of. */
interface KeptFile {
  path: string;
  /** How many files had been recorded when it was moved; it goes by its place in the list. */
  filesBefore: number;
}

const RECORD = 'tar-record.gz';
const KEPT = 'kept';
const CHUNK_BYTES = 64 * 1024;

/** Records into `folder`; `root` is the folder's `diff`. */
export function createLayerRecorder(files: Files, folder: string, root: Root): LayerRecorder {
  const codec = gzip();
  const fd = files.open(`${folder}/${RECORD}`, 'create-new', 0o600);
  const drain = (): void => {
    for (let part = codec.pull(); part !== null; part = codec.pull()) files.write(fd, part);
  };
  const writer = createTarRecordWriter((bytes) => {
    codec.push(bytes);
    drain();
  });
  const kept: KeptFile[] = [];
  let count = 0;
  let lastParent: { written: string; actual: string } | undefined;
  /** Without the links that an archive may have put among a path's parents. */
  const actualPath = (path: string): string => {
    const parent = parentPath(path);
    if (parent === '') return path;
    if (lastParent?.written !== parent) lastParent = { written: parent, actual: root.resolve(parent).slice(1) };
    return `${lastParent.actual === '' ? '' : `${lastParent.actual}/`}${path.slice(parent.length + 1)}`;
  };
  return {
    bytes: (bytes) => writer.bytes(bytes),
    file(entry, path) {
      writer.file(actualPath(path), entry.sizeBytes, entry.sparse);
      count += 1;
    },
    async clear(path) {
      const actual = actualPath(path);
      lastParent = undefined;
      const { type } = root.lstat(path);
      if (type !== 'file' && type !== 'directory') return root.removeTree(path);
      if (kept.length === 0) files.mkdir(`${folder}/${KEPT}`, 0o700);
      files.rename(`${folder}/diff/${actual}`, `${folder}/${KEPT}/${kept.length}`);
      kept.push({ path: actual, filesBefore: count });
    },
    end() {
      writer.end();
      codec.finish();
      drain();
      if (kept.length > 0) files.writeText(`${folder}/${KEPT}/list.json`, JSON.stringify(kept), 0o600);
    },
    close() {
      codec.close();
      files.close(fd);
    },
  };
}

/** The uncompressed archive of a layer, made again from its folder. Its reader throws when it is not what it was. */
export function openLayerTar(files: Files, folder: string, diffId: string): ByteSource & { close(): Promise<void> } {
  const parts = layerTar(files, folder);
  const content = hashed({
    async read() {
      const { value, done } = await parts.next();
      return done === true ? null : value;
    },
  });
  return {
    async read() {
      try {
        const part = await content.read();
        if (part === null && `sha256:${content.hex()}` !== diffId) throw new EngineError('internal', 'LAYER_DAMAGED', 'its files are not what they were when it came');
        return part;
      } catch (error) {
        throw new EngineError('internal', 'LAYER_DAMAGED', `layer ${diffId} cannot be read from ${folder}`, { cause: error, hint: 'remove the image and its containers, and pull or load it again' });
      }
    },
    close: async () => void (await parts.return(undefined)),
  };
}

async function* layerTar(files: Files, folder: string): AsyncGenerator<Uint8Array> {
  const list = `${folder}/${KEPT}/list.json`;
  const kept = files.exists(list) ? (JSON.parse(files.readText(list)) as KeptFile[]) : [];
  const fd = files.open(`${folder}/${RECORD}`, 'read');
  const record = await decompressed(readFrom(files, fd));
  const root = files.openRoot(`${folder}/diff`);
  try {
    yield* gathered(contentOf(files, root, folder, kept, record));
  } finally {
    root.close();
    record.close();
    files.close(fd);
  }
}

async function* contentOf(files: Files, root: Root, folder: string, kept: readonly KeptFile[], record: ByteSource): AsyncGenerator<Uint8Array> {
  let index = 0;
  for await (const segment of readTarRecord(record)) {
    if (segment.kind === 'bytes') {
      yield segment.bytes;
      continue;
    }
    const fd = openContent(files, root, folder, kept, segment.content.path, index);
    index += 1;
    try {
      yield* readRanges(files, fd, segment.content);
    } finally {
      files.close(fd);
    }
  }
}

function openContent(files: Files, root: Root, folder: string, kept: readonly KeptFile[], path: string, index: number): Fd {
  const number = kept.findIndex((move) => move.filesBefore > index && (path === move.path || path.startsWith(`${move.path}/`)));
  const move = kept[number];
  if (move === undefined) return root.open(path, 'read');
  const rest = path.slice(move.path.length);
  if (rest === '') return files.open(`${folder}/${KEPT}/${number}`, 'read');
  const inside = files.openRoot(`${folder}/${KEPT}/${number}`);
  try {
    return inside.open(rest.slice(1), 'read');
  } finally {
    inside.close();
  }
}

function* readRanges(files: Files, fd: Fd, { path, ranges }: FileContent): Generator<Uint8Array> {
  for (const { offset, sizeBytes } of ranges) {
    for (let done = 0; done < sizeBytes; ) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, sizeBytes - done));
      const length = files.read(fd, chunk, offset + done);
      if (length === 0) throw new EngineError('internal', 'LAYER_DAMAGED', `${path} is shorter than it was`);
      yield length === chunk.length ? chunk : chunk.subarray(0, length);
      done += length;
    }
  }
}

/** Small pieces put together: headers of 512 bytes would each cost a system call somewhere else. */
async function* gathered(parts: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let buffer = new Uint8Array(CHUNK_BYTES);
  let used = 0;
  for await (const part of parts) {
    if (used + part.length > CHUNK_BYTES) {
      if (used > 0) yield buffer.subarray(0, used);
      buffer = new Uint8Array(CHUNK_BYTES);
      used = 0;
    }
    if (part.length >= CHUNK_BYTES) yield part;
    else {
      buffer.set(part, used);
      used += part.length;
    }
  }
  if (used > 0) yield buffer.subarray(0, used);
}

function readFrom(files: Files, fd: Fd): ByteSource {
  return {
    read() {
      const chunk = new Uint8Array(CHUNK_BYTES);
      const length = files.read(fd, chunk);
      return Promise.resolve(length === 0 ? null : chunk.subarray(0, length));
    },
  };
}

/** Gives a layer the record that another extraction of the same archive has made. */
export function adoptLayerRecord(files: Files, from: string, to: string): void {
  try {
    if (files.exists(`${from}/${KEPT}`)) files.rename(`${from}/${KEPT}`, `${to}/${KEPT}`);
    files.rename(`${from}/${RECORD}`, `${to}/${RECORD}`);
  } catch (error) {
    // A record on its own, as a crash may have left it.
    if (systemErrorCode(error) !== 'EEXIST' && systemErrorCode(error) !== 'ENOTEMPTY') throw error;
  }
}
