import { TarError } from '../archive/index.ts';
import { EngineError, systemErrorCode } from '../error.ts';
import { extractInto } from '../images/index.ts';
import type { ByteSource, Cancellation, Root, System } from '../ports/index.ts';
import type { RegistrySettings } from '../registry/index.ts';
import { peekArchive } from './archive-kind.ts';
import { dockerfileError } from './dockerfile/index.ts';
import { fetchFile, isAddress } from './fetch.ts';
import { checkOut, folderWithin, isGitAddress, parseGitAddress } from './git/index.ts';
import { parseIgnore } from './ignore.ts';

const DOCKERFILE_LIMIT_BYTES = 4 * 1024 * 1024;

export interface ContextRequest {
  /** '' for the request's body. */
  remote: string;
  dockerfile: string;
  buildArgs: ReadonlyMap<string, string>;
}

/** Brings a context into a folder, and gives the text of its Dockerfile and where the context begins. Throws 'invalid'. */
export async function openContext(system: System, proxies: RegistrySettings['proxies'], folder: string, request: ContextRequest, body: ByteSource, cancellation: Cancellation): Promise<{ root: Root; path: string; source: string }> {
  const { files } = system;
  files.mkdirs(folder, 0o755);
  if (isGitAddress(request.remote)) return openRepository(system, proxies, folder, request, cancellation);
  const root = files.openRoot(folder);
  try {
    const alone = request.remote === '' ? undefined : await fetchContext(system, proxies, folder, root, request.remote, cancellation);
    if (request.remote === '') await unpack(system, body, root);
    return { root, path: folder, source: alone ?? takeDockerfile(root, request.dockerfile) };
  } catch (error) {
    root.close();
    throw error;
  }
}

/** Without the repository's own folder, which is never the same twice, unless it is asked for as BuildKit has it. */
async function openRepository(system: System, proxies: RegistrySettings['proxies'], folder: string, request: ContextRequest, cancellation: Cancellation): Promise<{ root: Root; path: string; source: string }> {
  const address = parseGitAddress(request.remote);
  await checkOut(system, proxies, address, folder, ['1', 'true'].includes(request.buildArgs.get('BUILDKIT_CONTEXT_KEEP_GIT_DIR') ?? ''), cancellation);
  const path = folderWithin(system, folder, address);
  const root = system.files.openRoot(path);
  try {
    return { root, path, source: takeDockerfile(root, request.dockerfile) };
  } catch (error) {
    root.close();
    throw error;
  }
}

async function unpack({ files }: System, source: ByteSource, root: Root): Promise<void> {
  try {
    await extractInto(files, source, root, '/', { keepTypes: false, owner: 'of-the-archive' });
  } catch (error) {
    const damaged = error instanceof TarError || systemErrorCode(error) === 'CORRUPT' || systemErrorCode(error) === 'TRUNCATED';
    if (damaged) throw new EngineError('invalid', 'CONTEXT_INVALID', `the build context is not an archive that can be read: ${error instanceof Error ? error.message : ''}`, { hint: 'a tar, plain or compressed with gzip or zstd', cause: error });
    // Such as a file behind a link that leads nowhere.
    if (error instanceof EngineError && error.code === 'LAYER_ENTRY_IMPOSSIBLE') throw new EngineError('invalid', 'CONTEXT_INVALID', `the build context cannot be unpacked: ${error.message}`, { cause: error });
    throw error;
  }
}

/** An archive becomes the context; anything else is the Dockerfile itself, whose text is given back. */
async function fetchContext(system: System, proxies: RegistrySettings['proxies'], folder: string, root: Root, remote: string, cancellation: Cancellation): Promise<string | undefined> {
  if (!isAddress(remote)) throw new EngineError('invalid', 'CONTEXT_REMOTE', `a context cannot be had from ${JSON.stringify(remote)}`, { hint: 'name the http(s) address of an archive or Dockerfile, or that of a git repository' });
  const path = `${folder}.download`;
  await fetchFile(system, proxies, remote, path, cancellation);
  const slash = path.lastIndexOf('/');
  const place = system.files.openRoot(path.slice(0, slash));
  try {
    const name = path.slice(slash + 1);
    const archive = await peekArchive(system, place, name);
    if (archive === undefined) return place.readText(name, DOCKERFILE_LIMIT_BYTES);
    try {
      await unpack(system, archive, root);
    } finally {
      archive.close();
    }
    return undefined;
  } finally {
    place.close();
    system.files.unlink(path);
  }
}

/** The Dockerfile and .dockerignore travel with the context even when they are ignored, and then are no part of it. */
function takeDockerfile(root: Root, wanted: string): string {
  const path = wanted.replace(/^(?:\.?\/)+/, '');
  const source = readFile(root, path) ?? (path === 'Dockerfile' ? readFile(root, 'dockerfile') : undefined);
  if (source === undefined) throw new EngineError('invalid', 'DOCKERFILE_MISSING', `Cannot locate specified Dockerfile: ${wanted}`, { hint: 'paths given with -f count from the context' });
  if (source.trim() === '') throw dockerfileError(1, `the Dockerfile (${wanted}) cannot be empty`);
  const ignore = readFile(root, '.dockerignore');
  if (ignore !== undefined) {
    const rules = parseIgnore(ignore);
    for (const name of [path, '.dockerignore']) if (rules.ignores(name) && readFile(root, name) !== undefined) root.unlink(name);
  }
  return source;
}

function readFile(root: Root, path: string): string | undefined {
  try {
    return root.readText(path, DOCKERFILE_LIMIT_BYTES);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    if (code === 'EISDIR') throw new EngineError('invalid', 'DOCKERFILE_MISSING', `${path} is a directory`);
    throw error;
  }
}
