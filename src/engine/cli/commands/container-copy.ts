import { EngineError, systemErrorCode } from '../../error.ts';
import type { PullSource } from '../../http/client.ts';
import { ApiError } from '../api/api-client.ts';
import { CliError } from '../cli-error.ts';
import { exactly, type Command, type CommandContext } from '../command.ts';
import { absolutePath, followedSource, linkDestination, parseCopyPlace, planCopy, splitEntry, type CopyDestination } from '../copy/copy-paths.ts';
import { copyProgress } from '../copy/copy-progress.ts';
import { checkDestination, localDestination, localSource } from '../copy/local-paths.ts';
import { fromBase64 } from '../credentials.ts';
import { reasonOf } from '../ports.ts';
import { inPath } from './each.ts';

interface PathStat {
  readonly mode: number;
  readonly linkTarget: string;
}

/** Go's os.FileMode. */
const MODE_DIRECTORY = 2 ** 31;
const MODE_SYMLINK = 2 ** 27;
const MODE_DEVICE = 2 ** 26;

function has(mode: number, bit: number): boolean {
  return Math.floor(mode / bit) % 2 === 1;
}

export const copyCommand: Command = {
  path: ['container', 'cp'], aliases: [['cp']], usage: 'CONTAINER:SRC_PATH DEST_PATH|-', summary: 'Copy files between a container and this machine', args: exactly(2), completeArgs: 'copy-place',
  details: 'Or the other way: SRC_PATH|- CONTAINER:DEST_PATH. "-" is a tar archive on standard output or input. SRC_PATH/. names what is in a folder. Files that come here belong to you, files that go there to whom they belong here; a link at the end of SRC_PATH is copied as a link.',
  flags: [
    { name: 'archive', short: 'a', kind: 'bool', help: "Give what is copied into the container to the container's user" },
    { name: 'follow-link', short: 'L', kind: 'bool', help: 'Copy what a link at the end of SRC_PATH leads to' },
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Show no progress; so without a terminal' },
  ],
  async run(context) {
    const [from = '', to = ''] = context.args;
    if (from === '') throw new CliError('source can not be empty');
    if (to === '') throw new CliError('destination can not be empty');
    const [source, destination] = [parseCopyPlace(from), parseCopyPlace(to)];
    if (source.container !== '' && destination.container !== '') throw new CliError('copying between containers is not supported');
    if (source.container === '' && destination.container === '') throw new CliError('must specify at least one container source');
    try {
      if (source.container !== '') await copyOut(context, source.container, source.path, destination.path);
      else await copyIn(context, source.path, destination.container, destination.path);
    } catch (error) {
      throw explained(error);
    }
    return 0;
  },
};

/** Failures of this machine's files, and of an archive, are no bugs. */
function explained(error: unknown): unknown {
  if (error instanceof CliError || (!(error instanceof EngineError) && systemErrorCode(error) === undefined && !(error instanceof Error && error.name === 'TarError'))) return error;
  return new CliError(error instanceof EngineError ? error.message : reasonOf(error), 1, { cause: error });
}

function isQuiet({ flags, ports }: CommandContext): boolean {
  return flags.given('quiet') ? flags.bool('quiet') : !ports.stdout.isTty;
}

function archivePath(container: string): string {
  return `/containers/${inPath(container)}/archive`;
}

function parseStat({ ports }: CommandContext, header: string | undefined): PathStat {
  try {
    return JSON.parse(ports.codec.decode(fromBase64(header ?? ''))) as PathStat;
  } catch (error) {
    throw new CliError('unable to decode container path stat header', 1, { cause: error });
  }
}

async function statInContainer(context: CommandContext, container: string, path: string): Promise<PathStat | null> {
  try {
    const answer = await context.api.stream('HEAD', archivePath(container), { query: { path } });
    await answer.text();
    return parseStat(context, answer.headers.get('x-docker-container-path-stat'));
  } catch (error) {
    // Whether the container or the path is missing, the copy itself says in the daemon's words.
    if (error instanceof ApiError) return null;
    throw error;
  }
}

async function copyOut(context: CommandContext, container: string, sourcePath: string, to: string): Promise<void> {
  const { api, flags, ports } = context;
  const { files } = ports.system();
  const target = absolutePath(ports.process.workingDirectory, to);
  if (to !== '-') checkDestination(files, target);
  let source: { path: string; name?: string } = { path: sourcePath };
  if (flags.bool('follow-link')) {
    const stat = await statInContainer(context, container, sourcePath);
    if (stat !== null && has(stat.mode, MODE_SYMLINK)) source = followedSource(sourcePath, linkDestination(sourcePath, stat.linkTarget));
  }
  const answer = await api.stream('GET', archivePath(container), { query: { path: source.path } });
  try {
    if (to === '-') {
      for (let part = await answer.body.read(); part !== null; part = await answer.body.read()) await ports.stdout.write(part);
      return;
    }
    const isFolder = has(parseStat(context, answer.headers.get('x-docker-container-path-stat')).mode, MODE_DIRECTORY);
    const plan = planCopy(isFolder, localDestination(files, target));
    // The archive has the name behind the link; a folder that is there gets the one that was asked for.
    const ownName = splitEntry(source.path).base;
    const newName = plan.name ?? source.name;
    const rename = newName === undefined ? {} : { rename: { from: ownName === '/' || ownName === '.' ? '' : ownName, to: newName } };
    const progress = copyProgress(context, 'Copying from container', isQuiet(context));
    const root = files.openRoot(plan.folder);
    try {
      const { extractInto } = await import('../../images/index.ts');
      await extractInto(files, progress.watched(answer.body), root, '/', { keepTypes: true, owner: 'ours', shownAs: plan.folder, ...rename });
    } finally {
      root.close();
    }
    await progress.done(target);
  } finally {
    answer.close();
  }
}

async function destinationInContainer(context: CommandContext, container: string, asked: string): Promise<CopyDestination> {
  let path = asked;
  let stat = await statInContainer(context, container, path);
  if (stat !== null && has(stat.mode, MODE_SYMLINK)) {
    path = linkDestination(path, stat.linkTarget);
    stat = await statInContainer(context, container, path);
  }
  if (stat !== null && has(stat.mode, MODE_DEVICE)) throw new CliError(`destination "${container}:${asked}" must be a directory or a regular file: got a device`);
  return { path, kind: stat === null ? 'missing' : has(stat.mode, MODE_DIRECTORY) ? 'folder' : 'file' };
}

async function copyIn(context: CommandContext, from: string, container: string, destinationPath: string): Promise<void> {
  const { api, flags, ports } = context;
  const destination = await destinationInContainer(context, container, destinationPath);
  const send = (folder: string, body: PullSource) =>
    api.stream('PUT', archivePath(container), { query: { path: folder, noOverwriteDirNonDir: 'true', copyUIDGID: flags.bool('archive') ? 'true' : undefined }, body, contentType: 'application/x-tar' });
  if (from === '-') {
    if (destination.kind !== 'folder') throw new CliError(`destination "${container}:${destinationPath}" must be a directory`);
    await (await send(destination.path, ports.stdin)).text();
    return;
  }
  const { files } = ports.system();
  const source = localSource(files, absolutePath(ports.process.workingDirectory, from), flags.bool('follow-link'));
  const plan = planCopy(source.isFolder, destination);
  const { folder, base } = splitEntry(source.path);
  const ownName = source.name ?? (base === '/' ? '' : base);
  const progress = copyProgress(context, 'Copying to container', isQuiet(context));
  const root = files.openRoot(folder);
  try {
    const { treeArchive } = await import('../../tree/index.ts');
    const archive = treeArchive({ files, root, path: base === '/' || base === '.' ? '/' : `/${base}`, name: plan.name ?? ownName });
    const body: PullSource = {
      async read() {
        const { value, done } = archive.next();
        return done === true ? null : value;
      },
    };
    await (await send(plan.folder, progress.watched(body))).text();
  } finally {
    root.close();
  }
  await progress.done(`${container}:${destination.path}`);
}
