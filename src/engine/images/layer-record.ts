import { gunzip, gzip, type Codec } from 'host:compress';
import { Sha256 } from 'host:crypto';
import type { TarEntry } from '../archive/index.ts';
import { EngineError, messageOf, systemErrorCode } from '../error.ts';
import type { ByteSource, Fd, Files, Root } from '../ports/index.ts';
import { parentPath } from './entry-path.ts';
import { createTarRecordWriter, readTarRecord, type RecordSegment } from './tar-record.ts';

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

export const LAYER_RECORD = 'tar-record.gz';
const KEPT = 'kept';
const CHUNK_BYTES = 64 * 1024;

/** Records into `folder`; `root` is the folder's `diff`. */
export function createLayerRecorder(files: Files, folder: string, root: Root): LayerRecorder {
  const codec = gzip();
  const fd = files.open(`${folder}/${LAYER_RECORD}`, 'create-new', 0o600);
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
export function openLayerTar(files: Files, folder: string, diffId: string): ByteSource & { close(): void } {
  const parts = layerTar(files, folder);
  const hash = new Sha256();
  const next = (): Uint8Array | null => {
    const { value, done } = parts.next();
    if (done !== true) {
      hash.update(value);
      return value;
    }
    if (`sha256:${hash.hex()}` !== diffId) throw new EngineError('internal', 'LAYER_DAMAGED', 'its files are not what they were when it came');
    return null;
  };
  return {
    read() {
      try {
        return Promise.resolve(next());
      } catch (error) {
        const hint = 'remove the image and its containers, and pull or load it again';
        return Promise.reject(new EngineError('internal', 'LAYER_DAMAGED', `layer ${diffId} cannot be read from ${folder}: ${messageOf(error)}`, { cause: error, hint }));
      }
    },
    close: () => void parts.return(undefined),
  };
}

/** What a layer's archive is made of: bytes as they stood, and the contents of files between them. */
export interface LayerContents {
  segments(): Generator<RecordSegment>;
  /** The content of a file, by its path and its place among the files of the segments. */
  open(path: string, index: number): Fd;
  close(): void;
}

/** Files are read where they lie: whoever needs to know that they are what they were compares hashes. */
export function openLayerContents(files: Files, folder: string): LayerContents {
  const list = `${folder}/${KEPT}/list.json`;
  const kept = files.exists(list) ? (JSON.parse(files.readText(list)) as KeptFile[]) : [];
  const root = files.openRoot(`${folder}/diff`);
  return {
    *segments() {
      const fd = files.open(`${folder}/${LAYER_RECORD}`, 'read');
      const codec = gunzip();
      try {
        yield* readTarRecord(inflating(files, fd, codec));
      } finally {
        codec.close();
        files.close(fd);
      }
    },
    open: (path, index) => openContent(files, root, folder, kept, path, index),
    close: () => root.close(),
  };
}

/** Pieces of the archive, of a size that is worth sending. */
function* layerTar(files: Files, folder: string): Generator<Uint8Array> {
  const contents = openLayerContents(files, folder);
  let buffer = new Uint8Array(CHUNK_BYTES);
  let used = 0;
  const take = (): Uint8Array => {
    const full = buffer.subarray(0, used);
    buffer = new Uint8Array(CHUNK_BYTES);
    used = 0;
    return full;
  };
  try {
    let index = 0;
    for (const segment of contents.segments()) {
      if (segment.kind === 'bytes') {
        for (let left = segment.bytes; left.length > 0; ) {
          const part = left.subarray(0, CHUNK_BYTES - used);
          buffer.set(part, used);
          used += part.length;
          left = left.subarray(part.length);
          if (used === CHUNK_BYTES) yield take();
        }
        continue;
      }
      const content = contents.open(segment.content.path, index);
      index += 1;
      try {
        for (const { offset, sizeBytes } of segment.content.ranges) {
          for (let done = 0; done < sizeBytes; ) {
            const length = files.read(content, buffer.subarray(used, used + Math.min(CHUNK_BYTES - used, sizeBytes - done)), offset + done);
            if (length === 0) throw new EngineError('internal', 'LAYER_DAMAGED', `${segment.content.path} is shorter than it was`);
            used += length;
            done += length;
            if (used === CHUNK_BYTES) yield take();
          }
        }
      } finally {
        files.close(content);
      }
    }
    if (used > 0) yield take();
  } finally {
    contents.close();
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

/** The uncompressed bytes of a gzip file. */
function inflating(files: Files, fd: Fd, codec: Codec): () => Uint8Array | null {
  let ended = false;
  return () => {
    for (;;) {
      const out = codec.pull();
      if (out !== null || ended) return out;
      const chunk = new Uint8Array(CHUNK_BYTES);
      const length = files.read(fd, chunk);
      if (length > 0) codec.push(chunk.subarray(0, length));
      else {
        codec.finish();
        ended = true;
      }
    }
  };
}

/** Gives a layer the record that another extraction of the same archive has made. */
export function adoptLayerRecord(files: Files, from: string, to: string): void {
  try {
    if (files.exists(`${from}/${KEPT}`)) files.rename(`${from}/${KEPT}`, `${to}/${KEPT}`);
    files.rename(`${from}/${LAYER_RECORD}`, `${to}/${LAYER_RECORD}`);
  } catch (error) {
    // A record on its own, as a crash may have left it.
    if (systemErrorCode(error) !== 'EEXIST' && systemErrorCode(error) !== 'ENOTEMPTY') throw error;
  }
}
