import { createTarReader, decompressed, TarError } from '../archive/index.ts';
import { EngineError, systemErrorCode } from '../error.ts';
import type { ByteSource, Files, Root, System } from '../ports/index.ts';

const CHUNK_BYTES = 256 * 1024;
const XZ = [0xfd, 0x37, 0x7a, 0x58, 0x5a];
const BZIP2 = [0x42, 0x5a, 0x68];

export interface OpenArchive extends ByteSource {
  close(): void;
}

/** A file as a stream of its bytes. */
export function fileSource(files: Files, root: Root, path: string): OpenArchive {
  const fd = root.open(path, 'read');
  return {
    read() {
      const chunk = new Uint8Array(CHUNK_BYTES);
      const count = files.read(fd, chunk);
      return Promise.resolve(count === 0 ? null : chunk.subarray(0, count));
    },
    close: () => files.close(fd),
  };
}

/** The file as a tar archive to unpack (compressed with gzip, zstd, xz or bzip2), or undefined when it is none. */
export async function peekArchive(system: Pick<System, 'files' | 'processes'>, root: Root, path: string): Promise<OpenArchive | undefined> {
  const { files } = system;
  const program = compressor(files, root, path);
  if (program !== undefined) return unpackWith(system, program, root, path);
  const trial = fileSource(files, root, path);
  try {
    const plain = await decompressed(trial);
    try {
      if ((await createTarReader(plain).next()) === null) return undefined;
    } finally {
      plain.close();
    }
  } catch (error) {
    if (error instanceof TarError || systemErrorCode(error) === 'CORRUPT' || systemErrorCode(error) === 'TRUNCATED') return undefined;
    throw error;
  } finally {
    trial.close();
  }
  return fileSource(files, root, path);
}

function compressor(files: Files, root: Root, path: string): 'xz' | 'bzip2' | undefined {
  const fd = root.open(path, 'read');
  try {
    const start = new Uint8Array(6);
    const count = files.read(fd, start);
    const begins = (mark: readonly number[]): boolean => count >= mark.length && mark.every((byte, at) => start[at] === byte);
    return begins(XZ) ? 'xz' : begins(BZIP2) ? 'bzip2' : undefined;
  } finally {
    files.close(fd);
  }
}

/** The engine has no decoder of its own for these; nearly every system has the programs. */
function unpackWith({ files, processes }: Pick<System, 'files' | 'processes'>, name: string, root: Root, path: string): OpenArchive {
  const program = processes.find(name);
  if (program === undefined) throw new EngineError('not-implemented', 'COMPRESSION', `${path} is compressed with ${name}, which is not installed on this machine`, { hint: `install ${name}, or compress the archive with gzip or zstd` });
  const child = processes.spawn({ argv: [program, '-dc'], env: {}, stdio: ['pipe-in', 'pipe-out', 'null'] });
  const [input, output] = child.streams;
  if (input == null || output == null) throw new Error('a child without pipes');
  const source = fileSource(files, root, path);
  const feed = async (): Promise<void> => {
    try {
      for (let part = await source.read(); part !== null; part = await source.read()) await input.write(part);
    } catch {
      // It ended before it had all: its exit status says why.
    } finally {
      source.close();
      input.close();
    }
  };
  const fed = feed();
  let over = false;
  const wait = async (): Promise<number> => {
    const code = await child.wait();
    over = true;
    return code;
  };
  const ended = wait();
  return {
    async read() {
      const part = await output.read();
      if (part !== null) return part;
      await fed;
      const code = await ended;
      if (code !== 0) throw new TarError(`${name} ended with ${code}`);
      return null;
    },
    close() {
      output.close();
      if (!over) processes.kill(child.pid, 15);
    },
  };
}
