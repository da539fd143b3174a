import { parseIgnore } from '../../build/ignore.ts';
import { isGitAddress } from '../../build/git/git-address.ts';
import type { PullSource } from '../../http/client.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import { contextArchive } from './context-archive.ts';

export interface BuildContext {
  body: PullSource | undefined;
  /** Address that the daemon fetches the context from; '' for none. */
  remote: string;
  /** Path in the context; '' for the usual one. */
  dockerfile: string;
}

const TAR_MARK_AT = 257;

/** A folder, `-` (an archive or a Dockerfile on standard input), or an address. */
export async function openBuildContext(context: CommandContext, place: string): Promise<BuildContext> {
  const { ports, flags } = context;
  const file = flags.string('file');
  if (/^https?:\/\//.test(place) || (isGitAddress(place) && ports.files.stat(place) === null)) return { body: undefined, remote: place, dockerfile: file };
  if (place === '-') {
    if (file === '-') throw new CliError("invalid argument: can't use stdin for both build context and dockerfile");
    return fromInput(context, file);
  }
  const folder = absolute(ports.process.workingDirectory, place);
  const facts = ports.files.stat(folder);
  if (facts === null) throw new CliError(`unable to prepare context: path "${place}" not found`);
  if (facts.kind !== 'directory') throw new CliError(`unable to prepare context: context must be a directory: ${place}`);
  const added = [];
  let dockerfile = 'Dockerfile';
  if (file === '-') {
    dockerfile = `.dockerfile.${ports.process.randomHex(8)}`;
    added.push({ name: dockerfile, content: await readAll(ports.stdin) });
  } else if (file !== '') {
    const path = absolute(ports.process.workingDirectory, file);
    if (ports.files.stat(path) === null) throw new CliError(`unable to prepare context: unable to evaluate symlinks in Dockerfile path: ${file}: no such file or directory`);
    if (path.startsWith(`${folder === '/' ? '' : folder}/`)) dockerfile = path.slice(folder === '/' ? 1 : folder.length + 1);
    else {
      dockerfile = `.dockerfile.${ports.process.randomHex(8)}`;
      added.push({ name: dockerfile, content: ports.codec.encode(ports.files.readText(path)) });
    }
  } else if (ports.files.stat(`${folder}/Dockerfile`) === null) {
    throw new CliError(`unable to prepare context: unable to evaluate symlinks in Dockerfile path: ${folder}/Dockerfile: no such file or directory`);
  }
  const ignoreFile = [`${dockerfile}.dockerignore`, '.dockerignore'].find((name) => ports.files.stat(`${folder}/${name}`)?.kind === 'file');
  const rules = ignoreFile === undefined ? undefined : parseIgnore(ports.files.readText(`${folder}/${ignoreFile}`));
  return { body: contextArchive(ports, folder, { rules, always: [dockerfile, '.dockerignore'], added }), remote: '', dockerfile };
}

async function fromInput({ ports }: CommandContext, file: string): Promise<BuildContext> {
  if (ports.stdin.isTty) throw new CliError('unable to prepare context: standard input is a terminal; pipe a Dockerfile or an archive into it');
  const parts: Uint8Array[] = [];
  let have = 0;
  while (have < TAR_MARK_AT + 5) {
    const part = await ports.stdin.read();
    if (part === null) break;
    parts.push(part);
    have += part.length;
  }
  const start = joined(parts);
  const compressed = (start[0] === 0x1f && start[1] === 0x8b) || (start[0] === 0x28 && start[1] === 0xb5) || (start[0] === 0xfd && start[1] === 0x37) || (start[0] === 0x42 && start[1] === 0x5a && start[2] === 0x68);
  if (compressed || ports.codec.decode(start.subarray(TAR_MARK_AT, TAR_MARK_AT + 5)) === 'ustar') {
    let given = false;
    return {
      body: {
        read() {
          if (given) return ports.stdin.read();
          given = true;
          return Promise.resolve(start);
        },
      },
      remote: '', dockerfile: file,
    };
  }
  const rest = await readAll(ports.stdin);
  const content = joined([start, rest]);
  if (content.length === 0) throw new CliError('unable to prepare context: standard input is empty');
  return { body: contextArchive(ports, undefined, { rules: undefined, always: [], added: [{ name: 'Dockerfile', content }] }), remote: '', dockerfile: 'Dockerfile' };
}

async function readAll(source: PullSource): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let part = await source.read(); part !== null; part = await source.read()) parts.push(part);
  return joined(parts);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function absolute(workingDirectory: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith('/') ? path : `${workingDirectory}/${path}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}
