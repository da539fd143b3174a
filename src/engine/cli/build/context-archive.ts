import type { IgnoreRules } from '../../build/ignore.ts';
import type { PullSource } from '../../http/client.ts';
import { CliError } from '../cli-error.ts';
import { reasonOf, type CliPorts } from '../ports.ts';
import { contextHeader, TAR_BLOCK_BYTES, type ContextEntry } from './tar-header.ts';

/** A file that is sent although it is not in the folder. */
export interface AddedFile {
  name: string;
  content: Uint8Array;
}

export interface ContextOptions {
  rules: IgnoreRules | undefined;
  /** Sent whatever the rules say: the daemon needs them. */
  always: readonly string[];
  added: readonly AddedFile[];
}

/** What of a folder (or of none) is sent to the daemon, as a tar that is made while it is read. */
export function contextArchive(ports: CliPorts, folder: string | undefined, options: ContextOptions): PullSource {
  const parts = archive(ports, folder, options);
  return {
    async read() {
      const { value, done } = await parts.next();
      return done === true ? null : value;
    },
  };
}

async function* archive(ports: CliPorts, folder: string | undefined, { rules, always, added }: ContextOptions): AsyncGenerator<Uint8Array> {
  const pending = folder === undefined ? [] : children(ports, folder, '');
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const path = `${folder ?? ''}/${name}`;
    const facts = ports.files.stat(path, { followLinks: false });
    if (facts === null) continue;
    const ignored = rules?.ignores(name) === true && !always.includes(name);
    if (facts.kind === 'directory' && (!ignored || rules?.hasExceptions === true || always.some((wanted) => wanted.startsWith(`${name}/`)))) pending.push(...children(ports, folder ?? '', `${name}/`));
    if (ignored || facts.kind === 'other') continue;
    const entry: ContextEntry = {
      name: facts.kind === 'directory' ? `${name}/` : name, kind: facts.kind, mode: facts.mode, mtimeSeconds: facts.mtimeSeconds, sizeBytes: facts.kind === 'file' ? facts.sizeBytes : 0, linkTarget: facts.kind === 'symlink' ? ports.files.readLink(path) : '',
    };
    yield contextHeader(entry, ports.codec);
    if (entry.kind === 'file') yield* content(ports, path, entry.sizeBytes);
  }
  for (const { name, content: bytes } of added) {
    yield contextHeader({ name, kind: 'file', mode: 0o600, mtimeSeconds: 0, sizeBytes: bytes.length, linkTarget: '' }, ports.codec);
    if (bytes.length > 0) yield bytes;
    yield padding(bytes.length);
  }
  yield new Uint8Array(2 * TAR_BLOCK_BYTES);
}

/** To be taken from the end. */
function children({ files }: CliPorts, folder: string, below: string): string[] {
  try {
    return files.list(`${folder}/${below}`).toReversed().map((name) => `${below}${name}`);
  } catch (error) {
    throw new CliError(`cannot read ${folder}/${below}: ${reasonOf(error)}; leave it out with .dockerignore if it is not needed`, 1, { cause: error });
  }
}

/** Exactly the promised length: a file that grows is cut, one that shrinks is an error. */
async function* content(ports: CliPorts, path: string, sizeBytes: number): AsyncGenerator<Uint8Array> {
  if (sizeBytes === 0) return;
  let file: ReturnType<CliPorts['files']['openRead']>;
  try {
    file = ports.files.openRead(path);
  } catch (error) {
    throw new CliError(`cannot read ${path}: ${reasonOf(error)}; leave it out with .dockerignore if it is not needed`, 1, { cause: error });
  }
  try {
    let left = sizeBytes;
    while (left > 0) {
      const part = await file.read();
      if (part === null) throw new CliError(`${path} became shorter while it was sent`);
      const taken = part.subarray(0, left);
      left -= taken.length;
      yield taken;
    }
  } finally {
    file.close();
  }
  yield padding(sizeBytes);
}

function padding(sizeBytes: number): Uint8Array {
  return new Uint8Array((TAR_BLOCK_BYTES - (sizeBytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES);
}
