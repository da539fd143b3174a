import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import { compareDebianVersions } from '../../advisories/index.ts';
import { inWorkFolder } from '../../cache/index.ts';
import { OsbuildError, type ReleaseSigner } from '../../model/index.ts';
import { attachmentEnds, besideRelease, checkSigned, fetchArchive, heldRelease, openArchive, publishRelease, readRelease, step, type Attachment, type Base, type HeldRelease, type PublishedRelease, type ReleaseImage } from '../../publish/index.ts';
import { formatImageName, openRepository, parseImageName, readLogin, type ImageName, type Repository } from '../../registry/index.ts';
import { bytesText } from '../../report/index.ts';
import { builtFiles } from '../build/built-artifact.ts';
import { osImageEnd } from '../build/compose.ts';
import { hostEngine } from '../build/host-engine.ts';
import { deltaMaker } from '../build/image-delta.ts';
import { withPrivateEngine } from '../build/private-engine.ts';
import { registryClient } from '../build/registry-client.ts';
import { fleet, machinesOption } from '../build/selection.ts';
import { Session } from '../build/session.ts';
import { readSigner } from '../build/signer.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';
import { lockOptions } from './image.ts';

const defaultDeltas = 3;
const deltasLimit = 100;

export const publish: Command = {
  name: 'publish',
  usage: '--machine <machine> <name>',
  summary: 'Put the release of a machine into a registry, with deltas from the releases before it',
  details:
    '\nThe release is the OS image that `osbuild image` writes too (….os.tar); it is built where it has to be, or --image names one. The name is that of an image in a registry; without a tag it gets\n' +
    '<machine>-<version>. Devices take it with `minke os update <name>`, as a delta where they run a release that one was made from. Logins are those of `docker login`.\n' +
    'The kernel’s headers and the bill of materials go with it, as artifacts that refer to it.\n' +
    'What the registry has is not sent again, so that a run that was cut off is gone on with by the next. Making deltas takes root.',
  options: {
    ...machinesOption,
    ...lockOptions,
    image: { type: 'string', value: 'file', help: 'a release that has been built (….os.tar), instead of --machine' },
    deltas: { type: 'string', value: 'number', help: `from how many of the last releases there a delta is made (default: ${defaultDeltas})` },
    from: { type: 'string', multiple: true, value: 'release', help: 'a release to make a delta from as well: a file (….os.tar), a name in a registry, or a tag of the same repository; may be repeated' },
    force: { type: 'boolean', help: 'also where the tag holds another release' },
    insecure: { type: 'boolean', help: 'a registry without TLS' },
  },
  arguments: { min: 1, max: 1 },
  async run(invocation) {
    const { flags, words: [word = ''] } = invocation;
    const name = parseImageName(word);
    if (name.digest !== undefined) throw new OsbuildError('OSB_USAGE', `${word} names an image by its digest`, { hint: 'the digest is what comes of publishing: leave it out' });
    const deltas = deltasOf(flags.text('deltas'));
    const project = await openProject(invocation);
    const session = new Session(invocation, project);
    const signers = await Promise.all((project.build.updates?.signWith ?? []).map((path) => readSigner(resolve(project.folder, path))));
    const file = flags.text('image');
    if (file !== undefined && (flags.on('all') || flags.texts('machine').length > 0)) throw new OsbuildError('OSB_USAGE', '--image and --machine exclude each other');
    return session.attended(async () => {
      const releases = file === undefined ? await builtReleases(invocation, session, name) : [{ file: resolve(invocation.cwd, file) }];
      for (const one of releases) await publishOne(invocation, session, { ...one, name, deltas, signers });
      return 0;
    });
  },
};

function deltasOf(text: string | undefined): number {
  if (text === undefined) return defaultDeltas;
  if (!/^\d+$/.test(text) || Number(text) > deltasLimit) throw new OsbuildError('OSB_USAGE', `"${text}" is not a number of deltas`, { hint: `0 to ${deltasLimit}` });
  return Number(text);
}

/** An OS image, and what goes with it, as far as that is known. */
interface Chosen {
  file: string;
  attachments?: readonly Attachment[];
}

/** Those of the machines asked for. */
async function builtReleases(invocation: Invocation, session: Session, name: ImageName): Promise<Chosen[]> {
  const machines = fleet(invocation, session.project);
  if (machines.length > 1 && name.tag !== undefined) throw new OsbuildError('OSB_USAGE', `one tag is for one machine, and these are ${machines.length}`, { hint: 'without a tag each gets <machine>-<version>' });
  const built = await builtFiles(invocation, session, machines, [osImageEnd, ...attachmentEnds]);
  return built.map(([image, ...attachments]) => {
    if (image === undefined) throw new Error('an image came without its release');
    return { file: image.path, attachments };
  });
}

async function publishOne(invocation: Invocation, session: Session, { file, attachments, name, deltas, signers }: Chosen & { name: ImageName; deltas: number; signers: readonly ReleaseSigner[] }): Promise<void> {
  const { flags, emit, layout, hostEnvironment: env, signal } = invocation;
  const archive = await openArchive(file);
  const release = readRelease(archive.config.digest, archive.configText);
  if (release === null) throw new OsbuildError('OSB_USAGE', `${file} is no release: its image does not say for which machine it is`, { hint: '`osbuild image` writes releases beside disk images (….os.tar)' });
  await checkSigned(release, signers);
  if (release.signatures.length === 0) emit({ type: 'notice', level: 'warning', code: 'RELEASE_UNSIGNED', message: `release ${release.version} of ${release.machine} is not signed: devices that trust keys will refuse it`, hint: '`osbuild key new <name>` makes a key' });
  const repository = await openNamed(invocation, name, true);
  await inWorkFolder(layout, 'publish', async (work) => {
    const bases: Base[] = [];
    for (const from of flags.texts('from')) bases.push(await namedBase(invocation, session, repository, from));
    const published = await publishRelease({
      archive,
      release,
      repository,
      tag: name.tag ?? defaultTag(release),
      force: flags.on('force'),
      deltas,
      bases,
      attachments: attachments ?? (await besideRelease(file, osImageEnd, release)),
      compare: compareDebianVersions,
      held: (held) => heldBase(session, invocation, repository, held),
      withDeltas: async (action) => withPrivateEngine({ binary: await hostEngine(invocation, session), folder: work, env, signal }, (engine) => action(deltaMaker(engine))).catch((error: unknown) => {
        if (!(error instanceof OsbuildError) || error.code !== 'OSB_HOST_UNFIT') throw error;
        throw new OsbuildError(error.code, error.message, { hint: `${error.hint ?? ''}; --deltas 0 without --from publishes without deltas`, cause: error });
      }),
      work,
      emit,
    });
    invocation.out(flags.on('json') ? `${JSON.stringify({ type: 'published', ...published })}\n` : publishedText(published));
  });
}

/** Versions may have characters that tags may not. */
const defaultTag = ({ machine, version }: ReleaseImage): string => `${machine}-${version}`.replaceAll(/[^\w.-]/g, '-').slice(0, 128);

async function openNamed(invocation: Invocation, name: ImageName, push: boolean): Promise<Repository> {
  const { dockerConfig: folder, hostEnvironment: env, signal, flags } = invocation;
  const login = await readLogin(name, { folder, env });
  return openRepository(name, { client: registryClient(env, name), login, insecure: flags.on('insecure'), push, signal });
}

/** What --from names. */
async function namedBase(invocation: Invocation, session: Session, repository: Repository, from: string): Promise<Base> {
  const path = resolve(invocation.cwd, from);
  if ((await stat(path).catch(() => null))?.isFile() === true) {
    const archive = await openArchive(path);
    const release = readRelease(archive.config.digest, archive.configText);
    if (release === null) throw new OsbuildError('OSB_USAGE', `${from} is no release`, { hint: 'a delta is made between two releases (….os.tar)' });
    return { ...release, from, archive: () => Promise.resolve(path) };
  }
  // A word without a slash is a tag, with a colon before it or without.
  const name = from.includes('/') ? parseImageName(from) : parseImageName(`${formatImageName(repository.name)}:${from.replace(/^:/, '')}`);
  const there = name.registry === repository.name.registry && name.path === repository.name.path ? repository : await openNamed(invocation, name, false);
  const held = await heldRelease(there, name.digest ?? name.tag ?? 'latest');
  if (held === null) throw new OsbuildError('OSB_USAGE', `${formatImageName(name)} is no release, and no file is called ${from}`, { hint: '--from takes a file (….os.tar), a name in a registry, or a tag of the same repository' });
  return heldBase(session, invocation, there, held);
}

function heldBase({ blobs }: Session, { layout, emit }: Invocation, repository: Repository, held: HeldRelease): Base {
  const from = held.reference.startsWith('sha256:') ? formatImageName({ ...repository.name, digest: held.reference }) : formatImageName({ ...repository.name, tag: held.reference });
  return {
    ...held,
    from,
    async archive(file) {
      await step(emit, `publish/${held.machine}/base/${held.version}`, `Load ${from}`, (report) => fetchArchive(repository, held.manifest, { blobs, layout }, file, report));
      return file;
    },
  };
}

function publishedText({ name, digest, machine, version, sizeBytes, deltas, attachments, sentBytes }: PublishedRelease): string {
  const lines = deltas.map((delta) => `  from ${delta.fromVersion}: ${bytesText(delta.sizeBytes)}, 1/${Math.round(sizeBytes / delta.sizeBytes)} of it${delta.found ? ' (was there)' : ''}\n`);
  const files = attachments.map((attachment) => `  with ${attachment.fileName}: ${bytesText(attachment.sizeBytes)}, ${attachment.digest}\n`);
  return `${name}@${digest}\n${machine} ${version}: ${bytesText(sizeBytes)}${deltas.length === 0 ? ', no deltas' : ''}; ${bytesText(sentBytes)} sent\n${[...lines, ...files].join('')}`;
}
