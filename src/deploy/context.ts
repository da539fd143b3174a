import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync, type Stats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';

import { parseIgnore, type IgnoreRules } from '../engine/build/ignore.ts';
import { contextHeader, TAR_BLOCK_BYTES, type ContextEntry } from '../engine/cli/build/tar-header.ts';
import { OsbuildError } from '../model/index.ts';
import type { Build } from './compose.ts';

/** What is sent for a build. */
export interface Context {
  /** Changes when the image might: of names, modes, contents, the Dockerfile's name and what is said to the build. */
  digest: string;
  /** Path of the Dockerfile in the archive. */
  dockerfile: string;
  sizeBytes: number;
  /** A tar of it. */
  archive(): AsyncGenerator<Uint8Array>;
}

interface Member {
  entry: ContextEntry;
  /** File of this machine, or the bytes. */
  content: string | Uint8Array | null;
}

const codec = { encode: (text: string) => new TextEncoder().encode(text), decode: (bytes: Uint8Array) => new TextDecoder().decode(bytes) };

/** Reads the folder of a build, without what its .dockerignore names. Throws OSB_CONFIG_INVALID. */
export async function readContext(build: Build): Promise<Context> {
  const { members, dockerfile } = listMembers(build);
  const hash = createHash('sha256').update(JSON.stringify([dockerfile, build.args, build.labels, build.target, build.network, build.platform]));
  for (const { entry: { name, kind, mode, linkTarget }, content } of members) {
    const bytes = typeof content === 'string' ? await readFile(content) : content;
    hash.update(JSON.stringify([name, kind, mode & 0o7777, linkTarget, bytes === null ? '' : createHash('sha256').update(bytes).digest('hex')]));
  }
  const sizeBytes = members.reduce((sum, { entry }) => sum + entry.sizeBytes, 0);
  return { digest: hash.digest('hex').slice(0, 24), dockerfile, sizeBytes, archive: () => pack(members) };
}

/** What changes when a file of the context does, without reading it. */
export function contextStamp(build: Build): string {
  return listMembers(build).members.map(({ entry, content }) => (typeof content === 'string' ? `${entry.name} ${stamp(content)}` : `${entry.name} ${entry.mode} ${entry.linkTarget}`)).join('\n');
}

/** Of a file that may not be there. */
export function stamp(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat === undefined ? '-' : `${stat.mtimeMs} ${stat.ctimeMs} ${stat.size} ${stat.ino} ${stat.mode}`;
}

function listMembers({ service, context, dockerfile: named, inline }: Build): { members: Member[]; dockerfile: string } {
  const wrong = (what: string, cause?: unknown): OsbuildError => new OsbuildError('OSB_CONFIG_INVALID', `services.${service}.build: ${what}`, { hint: 'nothing was sent', cause });
  if (statSync(context, { throwIfNoEntry: false })?.isDirectory() !== true) throw wrong(`there is no folder ${context}`);
  const path = resolve(context, named);
  const outside = inline !== null || !path.startsWith(`${context}${sep}`);
  const own = outside ? '.osbuild-deploy.dockerfile' : relative(context, path).split(sep).join('/');
  if (inline === null && statSync(path, { throwIfNoEntry: false })?.isFile() !== true) throw wrong(`there is no Dockerfile ${path}`);
  const ignoreFile = [`${own}.dockerignore`, '.dockerignore'].map((name) => join(context, name)).find((name) => statSync(name, { throwIfNoEntry: false })?.isFile());
  let rules: IgnoreRules | null = null;
  try {
    if (ignoreFile !== undefined) rules = parseIgnore(readFileSync(ignoreFile, 'utf8'));
  } catch (cause) {
    throw wrong(`${ignoreFile} has a pattern that is none`, cause);
  }
  const members: Member[] = [];
  const visit = (below: string): void => {
    let names: string[];
    try {
      names = readdirSync(join(context, below)).toSorted();
    } catch (cause) {
      throw wrong(`cannot read ${join(context, below)}: leave it out with .dockerignore if it is not needed`, cause);
    }
    for (const name of names) {
      const inside = below === '' ? name : `${below}/${name}`;
      const at = join(context, inside);
      const stat = lstatSync(at, { throwIfNoEntry: false });
      if (stat === undefined) continue;
      // The builder wants its Dockerfile whatever the rules say.
      const ignored = rules?.ignores(inside) === true && inside !== own;
      if (!ignored && (stat.isFile() || stat.isDirectory() || stat.isSymbolicLink())) members.push({ entry: entryOf(inside, stat, at), content: stat.isFile() ? at : null });
      if (stat.isDirectory() && (!ignored || rules?.hasExceptions === true || own.startsWith(`${inside}/`))) visit(inside);
    }
  };
  visit('');
  if (outside) {
    const bytes = inline === null ? readFileSync(path) : codec.encode(inline);
    members.push({ entry: { name: own, kind: 'file', mode: 0o600, mtimeSeconds: 0, sizeBytes: bytes.length, linkTarget: '' }, content: bytes });
  }
  return { members, dockerfile: own };
}

function entryOf(name: string, stat: Stats, at: string): ContextEntry {
  const kind = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'file';
  return { name: kind === 'directory' ? `${name}/` : name, kind, mode: stat.mode, mtimeSeconds: Math.floor(stat.mtimeMs / 1000), sizeBytes: kind === 'file' ? stat.size : 0, linkTarget: kind === 'symlink' ? readlinkSync(at) : '' };
}

/** A tar of files; what changed its length since it was listed is sent as it is now. */
export async function* pack(members: readonly Member[]): AsyncGenerator<Uint8Array> {
  for (const { entry, content } of members) {
    const bytes = typeof content === 'string' ? await readFile(content) : content;
    yield contextHeader({ ...entry, sizeBytes: bytes?.length ?? 0 }, codec);
    if (bytes === null || bytes.length === 0) continue;
    yield bytes;
    yield new Uint8Array((TAR_BLOCK_BYTES - (bytes.length % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES);
  }
  yield new Uint8Array(2 * TAR_BLOCK_BYTES);
}

/** Members of an archive for what goes beside the compose file. */
export function besideCompose(folder: string, paths: readonly string[], compose: string): Member[] {
  const bytes = codec.encode(compose);
  const others = paths.map((path): Member => {
    const at = join(folder, path);
    const stat = lstatSync(at);
    const entry = entryOf(path, stat, at);
    return { entry: { ...entry, mode: (stat.mode & 0o100) === 0 ? 0o644 : 0o755 }, content: stat.isFile() ? at : null };
  });
  return [...others, { entry: { name: 'compose.yaml', kind: 'file', mode: 0o644, mtimeSeconds: 0, sizeBytes: bytes.length, linkTarget: '' }, content: bytes }];
}
