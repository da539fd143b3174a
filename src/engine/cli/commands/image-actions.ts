import { jsonLines } from '../../http/client.ts';
import { ApiError } from '../api/api-client.ts';
import { CliError } from '../cli-error.ts';
import { atLeast, between, exactly, noArguments, type Command, type CommandContext } from '../command.ts';
import type { FlagSpec } from '../flags/flag-spec.ts';
import { registryAuthHeader } from '../credentials.ts';
import { familiarName, splitImageName } from '../output/image-name.ts';
import { showProgress } from '../output/progress.ts';
import { errorCode, reasonOf } from '../ports.ts';
import { forEachName } from './each.ts';
import { pullImage } from './image-pull.ts';

const platformFlag: FlagSpec = { name: 'platform', kind: 'string', help: 'Platform (linux/arm/v7)' };
const trustFlag: FlagSpec = { name: 'disable-content-trust', kind: 'bool', help: 'Skip the check of signatures', default: 'true', hidden: true };

/** An image's name in a path of the API: its slashes stay. */
export function imagePath(name: string): string {
  return encodeURIComponent(name).replaceAll('%2F', '/');
}

export const pullCommand: Command = {
  path: ['image', 'pull'], aliases: [['pull']], usage: 'NAME[:TAG|@DIGEST]', summary: 'Download an image from a registry', common: true, args: exactly(1), completeArgs: 'image',
  flags: [
    { name: 'all-tags', short: 'a', kind: 'bool', help: 'Download every tag of the repository' },
    { name: 'delta', kind: 'string', help: 'Use a delta to an image that is here: "auto", "never" or "require"', default: 'auto' }, trustFlag, platformFlag,
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Show no progress' },
  ],
  async run(context) {
    const { flags, ports, args: [name = ''] } = context;
    const { tag, digest } = splitImageName(name);
    if (flags.bool('all-tags') && (tag || digest)) throw new CliError("tag can't be used with --all-tags/-a");
    if (!tag && !digest && !flags.bool('all-tags') && !flags.bool('quiet')) await context.print('Using default tag: latest\n');
    await pullImage(context, name, { platform: flags.string('platform'), quiet: flags.bool('quiet'), allTags: flags.bool('all-tags'), delta: flags.string('delta'), output: ports.stdout });
    if (!flags.bool('all-tags')) await context.print(`${fullName(name)}\n`);
    return 0;
  },
};

/** The name with registry and namespace written out. */
function fullName(name: string): string {
  const familiar = familiarName(name);
  const first = familiar.split('/')[0] ?? '';
  if (familiar.includes('/') && (/[.:]/.test(first) || first === 'localhost')) return familiar;
  return familiar.includes('/') ? `docker.io/${familiar}` : `docker.io/library/${familiar}`;
}

export const pushCommand: Command = {
  path: ['image', 'push'], aliases: [['push']], usage: 'NAME[:TAG]', summary: 'Upload an image to a registry', common: true, args: exactly(1), completeArgs: 'image',
  flags: [
    { name: 'all-tags', short: 'a', kind: 'bool', help: 'Upload every tag of the repository' }, trustFlag, platformFlag,
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Show no progress' },
  ],
  async run(context) {
    const { api, flags, ports, args: [name = ''] } = context;
    const { repository, tag } = splitImageName(name);
    const auth = await registryAuthHeader(context, name);
    const headers = Object.keys(auth).length > 0 ? auth : { 'X-Registry-Auth': 'e30=' };
    const values = api.values('POST', `/images/${imagePath(repository)}/push`, { query: { tag: flags.bool('all-tags') ? undefined : tag || 'latest', platform: flags.string('platform') }, headers });
    await showProgress(ports, values, ports.stdout, flags.bool('quiet'));
    if (flags.bool('quiet')) await context.print(`${fullName(name)}\n`);
    return 0;
  },
};

interface Removal {
  readonly Untagged?: string;
  readonly Deleted?: string;
}

export const imageRemoveCommand: Command = {
  path: ['image', 'rm'], aliases: [['image', 'remove'], ['rmi']], usage: 'IMAGE [IMAGE...]', summary: 'Remove one or more images', args: atLeast(1), completeArgs: 'image',
  flags: [
    { name: 'force', short: 'f', kind: 'bool', help: 'Remove it although it is in use; a missing one is no failure' },
    { name: 'no-prune', kind: 'bool', help: 'Keep untagged parents' },
    { name: 'platform', kind: 'strings', help: 'Remove this platform alone', hidden: true },
  ],
  async run(context) {
    const { api, flags } = context;
    let failed = false;
    await forEachName(context, async (name) => {
      try {
        const removals = await api.delete<Removal[]>(`/images/${imagePath(name)}`, { force: flags.bool('force') || undefined, noprune: flags.bool('no-prune') || undefined });
        for (const { Untagged, Deleted } of removals) await context.print(Deleted !== undefined ? `Deleted: ${Deleted}\n` : `Untagged: ${Untagged ?? ''}\n`);
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404 && flags.bool('force'))) failed = true;
        throw error;
      }
      return null;
    });
    return failed ? 1 : 0;
  },
};

export const tagCommand: Command = {
  path: ['image', 'tag'], aliases: [['tag']], usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]', summary: 'Give an image another name', args: exactly(2), flags: [], completeArgs: 'image',
  async run({ api, args: [source = '', target = ''] }) {
    const { repository, tag, digest } = splitImageName(target);
    if (digest !== '') throw new CliError('refusing to create a tag with a digest reference');
    try {
      await api.post(`/images/${imagePath(source)}/tag`, { query: { repo: repository, tag: tag || 'latest' } });
    } catch (error) {
      if (!(error instanceof ApiError && error.reason.startsWith('invalid reference format'))) throw error;
      throw new CliError(`Error parsing reference: ${JSON.stringify(target)} is not a valid repository/tag: ${error.reason}`, 1, { cause: error });
    }
    return 0;
  },
};

export const loadCommand: Command = {
  path: ['image', 'load'], aliases: [['load']], usage: '', summary: 'Load images from a tar archive', args: noArguments,
  flags: [
    { name: 'input', short: 'i', kind: 'string', help: 'Archive to read, instead of standard input', complete: 'file' }, platformFlag,
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Show no progress' },
  ],
  async run(context) {
    const { api, flags, ports } = context;
    const path = flags.string('input');
    if (path === '' && ports.stdin.isTty) throw new CliError('requested load from stdin, but stdin is empty');
    const file = path === '' ? null : openFile(context, path);
    try {
      const quiet = flags.bool('quiet') || !ports.stdout.isTty;
      const answer = await api.stream('POST', '/images/load', { query: { quiet }, body: file ?? ports.stdin, contentType: 'application/x-tar' });
      if (!answer.headers.get('content-type')?.includes('json')) {
        for (let chunk = await answer.body.read(); chunk !== null; chunk = await answer.body.read()) await ports.stdout.write(chunk);
        return 0;
      }
      await showProgress(ports, jsonLines(answer.body, ports.codec), ports.stdout, false);
      return 0;
    } finally {
      file?.close();
    }
  },
};

function openFile(context: CommandContext, path: string) {
  try {
    const facts = context.ports.files.stat(path);
    if (facts?.kind === 'directory') throw new CliError(`open ${path}: is a directory`);
    return context.ports.files.openRead(path);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new CliError(`open ${path}: ${reasonOf(error)}`, 1, { cause: error });
  }
}

/** Writes a stream to a file, complete or not at all, or to standard output. */
export async function saveStream(context: CommandContext, path: string, method: string, apiPath: string, query: Record<string, string | readonly string[] | undefined>): Promise<void> {
  const { api, ports } = context;
  if (path === '' && ports.stdout.isTty) throw new CliError('cowardly refusing to save to a terminal. Use the -o flag or redirect');
  if (path !== '' && ports.files.stat(path.replace(/\/?[^/]*$/, '') || (path.startsWith('/') ? '/' : '.'))?.kind !== 'directory') throw new CliError(`failed to save image: invalid output path: directory of "${path}" does not exist`);
  const answer = await api.stream(method, apiPath, { query });
  const file = path === '' ? null : ports.files.openWrite(path, 0o600);
  try {
    for (let chunk = await answer.body.read(); chunk !== null; chunk = await answer.body.read()) await (file ?? ports.stdout).write(chunk);
    await file?.finish();
  } catch (error) {
    file?.abandon();
    if (file && errorCode(error) !== undefined && !(error instanceof CliError)) throw new CliError(`cannot write ${path}: ${reasonOf(error)}`, 1, { cause: error });
    throw error;
  } finally {
    answer.close();
  }
}

export const saveCommand: Command = {
  path: ['image', 'save'], aliases: [['save']], usage: 'IMAGE [IMAGE...]', summary: 'Write images to a tar archive', args: atLeast(1), completeArgs: 'image',
  flags: [{ name: 'output', short: 'o', kind: 'string', help: 'File to write, instead of standard output', complete: 'file' }, platformFlag],
  async run(context) {
    await saveStream(context, context.flags.string('output'), 'GET', '/images/get', { names: context.args, platform: context.flags.string('platform') });
    return 0;
  },
};

export const importCommand: Command = {
  path: ['image', 'import'], aliases: [['import']], usage: 'FILE|URL|- [REPOSITORY[:TAG]]', summary: 'Make an image of a file system in a tar archive', args: between(1, 2), completeArgs: 'file',
  flags: [
    { name: 'change', short: 'c', kind: 'list', help: 'Apply a Dockerfile instruction' },
    { name: 'message', short: 'm', kind: 'string', help: 'Message of the commit' }, platformFlag,
  ],
  async run(context) {
    const { api, flags, ports, args: [source = '', target = ''] } = context;
    const remote = /^https?:\/\//.test(source);
    const file = source === '-' || remote ? null : openFile(context, source);
    const { repository, tag } = splitImageName(target);
    try {
      const values = api.values('POST', '/images/create', {
        query: { fromSrc: remote ? source : '-', repo: repository, tag, message: flags.string('message'), changes: flags.list('change'), platform: flags.string('platform') },
        ...(remote ? {} : { body: file ?? ports.stdin, contentType: 'application/x-tar' }),
      });
      await showProgress(ports, values, ports.stdout, false);
      return 0;
    } finally {
      file?.close();
    }
  },
};
