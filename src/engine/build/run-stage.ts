import { sha256File } from 'host:crypto';
import { createQueue, type Queue } from '../store/index.ts';
import { withFiles, stageUpper } from '../containers/index.ts';
import { commitStep } from './commit-step.ts';
import { commandLine, configure, expander, type ConfigInstruction } from './configure.ts';
import { kindAt, makeFolders } from './copy-tree.ts';
import { prepareCopy, runCopy, type CopyPlan } from './copy-step.ts';
import { dockerfileError, expandWord, parseTrigger, splitWords, type CopyOptions, type Instruction, type InstructionOf } from './dockerfile/index.ts';
import { fetchFile, isAddress, nameOfAddress } from './fetch.ts';
import { checkCancelled } from './file-tree.ts';
import { checkOut, folderWithin, isGitAddress, parseGitAddress } from './git/index.ts';
import { prepareMounts, type MountSource } from './mounts.ts';
import { resolveFrom, type PlannedStage, type StageBase } from './plan.ts';
import { parseRunMount } from './run-mount.ts';
import { runCommand } from './run-step.ts';
import { shortId, type BuildSession } from './session.ts';
import { lookUp, environmentMap, stateBase, type StageState } from './stage-state.ts';
import { findBase } from './base-image.ts';

const PROXY_ARGS = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'FTP_PROXY', 'ftp_proxy', 'NO_PROXY', 'no_proxy', 'ALL_PROXY', 'all_proxy'];

/** Carries out a stage's instructions; `done` has the stages before it. */
export async function runStage(session: BuildSession, planned: PlannedStage, done: ReadonlyMap<number, StageState>): Promise<StageState> {
  const { output } = session;
  await announce(session, planned.stage.from);
  let state = await findBase(session, planned.base, planned.platform, done, session.request.pull);
  await output.say(` ---> ${shortId(state.imageId)}\n`);
  const triggers = state.config.OnBuild ?? [];
  if (triggers.length > 0) {
    await output.say(`# Executing ${triggers.length} build trigger${triggers.length === 1 ? '' : 's'}\n`);
    state = { ...state, config: { ...state.config, OnBuild: null } };
    for (const trigger of triggers) state = await runInstruction(session, planned, done, state, parseTrigger(trigger));
  }
  for (const instruction of planned.stage.instructions) {
    checkCancelled(session.gone);
    await announce(session, instruction);
    state = await runInstruction(session, planned, done, state, instruction);
    await output.say(` ---> ${shortId(state.imageId)}\n`);
  }
  return state;
}

export async function announce(session: BuildSession, { text }: Instruction): Promise<void> {
  session.stepNumber += 1;
  await session.output.say(`Step ${session.stepNumber}/${session.plan.stepCount} : ${text}\n`);
}

function runInstruction(session: BuildSession, planned: PlannedStage, done: ReadonlyMap<number, StageState>, state: StageState, instruction: Exclude<Instruction, { kind: 'from' }>): Promise<StageState> {
  switch (instruction.kind) {
    case 'run':
      return runRun(session, planned, done, state, instruction);
    case 'copy':
    case 'add':
      return runCopyStep(session, planned, done, state, instruction);
    case 'arg':
      return runArg(session, state, instruction);
    case 'workdir':
      return runWorkdir(session, state, instruction);
    default:
      return runConfigure(session, state, instruction);
  }
}

function runConfigure(session: BuildSession, state: StageState, instruction: ConfigInstruction): Promise<StageState> {
  const { state: next, said } = configure(state, instruction, session.escape);
  return commitStep(session, state, { next, createdBy: `/bin/sh -c #(nop)  ${said}`, depends: [], make: undefined });
}

function runArg(session: BuildSession, state: StageState, { args, line }: InstructionOf<'arg'>): Promise<StageState> {
  const { request, plan, consumed, platformArgs } = session;
  const values = new Map(state.args);
  const said: string[] = [];
  for (const { name, value } of args) {
    const expanded = value === undefined ? undefined : expandArg(session, { ...state, args: values }, value, line);
    consumed.add(name);
    const given = request.buildArgs.get(name) ?? expanded ?? plan.globals.get(name) ?? platformArgs.get(name);
    if (given !== undefined) values.set(name, given);
    said.push(expanded === undefined ? name : `${name}=${expanded}`);
  }
  return commitStep(session, state, { next: { ...state, args: values }, createdBy: `/bin/sh -c #(nop)  ARG ${said.join(' ')}`, depends: [], make: undefined });
}

function expandArg(session: BuildSession, state: StageState, value: string, line: number): string {
  return expander(state, session.escape, line)(value);
}

function runWorkdir(session: BuildSession, state: StageState, instruction: InstructionOf<'workdir'>): Promise<StageState> {
  const { containers, workshop } = session;
  const { state: next, said } = configure(state, instruction, session.escape);
  const place = next.config.WorkingDir ?? '/';
  const make = async () => {
    const container = await workshop.make(stateBase(state, { Volumes: null, Entrypoint: null, Cmd: null, Healthcheck: null }), { Cmd: [`#(nop) ${said}`], HostConfig: { NetworkMode: 'none' } });
    try {
      const fresh = await withFiles(containers, container, 'bare', (root) => {
        if (kindAt(root, place, true) === 'directory') return Promise.resolve(false);
        makeFolders(root, place, { owner: undefined });
        return Promise.resolve(true);
      });
      return fresh ? await stageUpper(containers, container) : undefined;
    } finally {
      await workshop.remove(container);
    }
  };
  return commitStep(session, state, { next, createdBy: `/bin/sh -c #(nop)  ${said}`, depends: [], make: place === '/' ? undefined : make });
}

async function runRun(session: BuildSession, planned: PlannedStage, done: ReadonlyMap<number, StageState>, state: StageState, instruction: InstructionOf<'run'>): Promise<StageState> {
  const { containers, workshop, request, output, gone, pace } = session;
  const { files, machine } = containers.system;
  const { command, heredocs, line } = instruction;
  const expand = expander(state, session.escape, line);
  const mounts = await prepareMounts(
    {
      files, workshop, pace, line, cacheFolder: `${session.folder}/cache`, secrets: request.secrets, agents: request.agents, workingDir: state.config.WorkingDir ?? '/', fresh: () => machine.randomHex(8),
      source: (from) => mountSource(session, planned, done, from, line),
    },
    instruction.mounts.map((mount) => parseRunMount(expand(mount), line)),
  );
  let argv = commandLine(state, command);
  const documents = heredocs.map(({ name, content }) => `${content}${name}\n`).join('');
  if (command.form === 'shell' && heredocs.length > 0) {
    const [only] = heredocs;
    const alone = splitWords(command.text, session.escape).length === 1 && only !== undefined;
    const script = alone ? only.content : `${command.text}\n${documents}`;
    argv = commandLine(state, { form: 'shell', text: script });
    if (alone && script.startsWith('#!')) {
      const path = `${workshop.folder}/script-${machine.randomHex(8)}`;
      files.writeText(path, script, 0o755);
      files.chmod(path, 0o755);
      // In /dev, which is no part of the image.
      mounts.mounts.push({ Type: 'bind', Source: path, Target: `/dev/pipes/${only.name}`, ReadOnly: true });
      argv = [`/dev/pipes/${only.name}`];
    }
  }
  const env = environmentMap(state.config.Env ?? []);
  const args = [...state.args].filter(([name]) => !env.has(name)).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}=${value}`);
  const proxies = PROXY_ARGS.flatMap((name) => {
    const value = request.buildArgs.get(name);
    if (value === undefined || state.args.has(name) || env.has(name)) return [];
    session.consumed.add(name);
    return [`${name}=${value}`];
  });
  const createdBy = `${args.length === 0 ? '' : `|${args.length} ${args.join(' ')} `}${argv.join(' ')}`;
  const hostConfig = {
    ...request.hostConfig,
    ...(instruction.network === '' || instruction.network === 'default' ? {} : { NetworkMode: instruction.network }),
    Binds: request.binds, Mounts: mounts.mounts, Tmpfs: mounts.tmpfs,
  };
  const places = [...mounts.points, ...request.binds.map((bind) => bind.split(':')[1] ?? '')].filter((place) => place.startsWith('/'));
  const make = () =>
    locked(session.locks, mounts.locks, () =>
      runCommand(containers, workshop, state, { argv, env: [...args, ...proxies, ...mounts.env], hostConfig, mountPoints: places, keep: !request.remove }, output, gone));
  return commitStep(session, state, { next: state, createdBy, depends: [instruction.network, documents, ...mounts.fingerprint, ...request.binds], make });
}

/** Waits for each lock in turn; they are sorted, so that two builds never wait for each other. */
function locked<T>(locks: Map<string, Queue>, names: readonly string[], action: () => Promise<T>): Promise<T> {
  const [name, ...rest] = [...new Set(names)].toSorted();
  if (name === undefined) return action();
  const queue = locks.get(name) ?? createQueue();
  locks.set(name, queue);
  return queue(() => locked(locks, rest, action));
}

async function mountSource(session: BuildSession, planned: PlannedStage, done: ReadonlyMap<number, StageState>, from: string, line: number): Promise<MountSource> {
  if (from === '') return { ...session.context, identity: '' };
  const state = await findBase(session, resolveFrom(session.plan.stages, planned.index, from, line), '', done, false);
  const { root, path } = await session.workshop.open(stateBase(state, {}));
  return { root, path, identity: state.imageId };
}

async function runCopyStep(session: BuildSession, planned: PlannedStage, done: ReadonlyMap<number, StageState>, state: StageState, instruction: InstructionOf<'copy' | 'add'>): Promise<StageState> {
  const { containers, workshop, pace } = session;
  const { options, line } = instruction;
  const keyword = instruction.kind === 'add' ? 'ADD' : 'COPY';
  const expand = expander(state, session.escape, line);
  const words = instruction.sources.map(expand);
  const plan: CopyPlan = {
    keyword, sources: [], destination: expand(instruction.destination), keepOwners: options.from !== '', chown: expand(options.chown), chmod: expand(options.chmod), parents: options.parents, exclude: options.exclude.map(expand),
    documents: instruction.heredocs.map(({ name, content, expand: replace }) => ({ name, content: replace ? expandDocument(session, state, content, line) : content })),
  };
  const unpack = instruction.kind === 'add' && options.unpack !== false;
  if (options.from !== '') {
    const base: StageBase = resolveFrom(session.plan.stages, planned.index, options.from, line);
    const { root } = await workshop.open(stateBase(await findBase(session, base, '', done, false), {}));
    plan.sources.push({ from: { root, base: '' }, words, unpack: false });
  } else {
    for (const word of words) {
      const repository = instruction.kind === 'add' && isGitAddress(word);
      const remote = instruction.kind === 'add' && isAddress(word);
      plan.sources.push(repository ? await fetchRepository(session, word, options, line) : remote ? await fetchSource(session, word, options.checksum, options.unpack === true, line) : { from: { root: session.context.root, base: '' }, words: [word], unpack });
    }
  }
  const prepared = await prepareCopy(containers, plan, pace);
  const look = [...(plan.chown === '' ? [] : [`--chown=${plan.chown}`]), ...(plan.chmod === '' ? [] : [`--chmod=${plan.chmod}`]), ...(plan.parents ? ['--parents'] : []), ...plan.exclude.map((pattern) => `--exclude=${pattern}`)];
  const createdBy = `/bin/sh -c #(nop) ${[keyword, ...look, prepared.digest, 'in', plan.destination].join(' ')} `;
  return commitStep(session, state, { next: state, createdBy, depends: [String(unpack), plan.keepOwners ? 'owners' : ''], make: () => runCopy(containers, workshop, state, plan, prepared, pace) });
}

function expandDocument(session: BuildSession, state: StageState, content: string, line: number): string {
  try {
    return expandWord(content, lookUp(state), { escape: session.escape, keepQuotes: true });
  } catch (error) {
    throw dockerfileError(line, error instanceof Error ? error.message : String(error));
  }
}

/** Fetches a repository, to copy it from there. Its commit is what the cache goes by: the files get the time at which they were fetched. */
async function fetchRepository(session: BuildSession, word: string, { checksum, keepGitFolder }: CopyOptions, line: number): Promise<CopyPlan['sources'][number]> {
  const { containers, workshop, proxies, gone } = session;
  const { system } = containers;
  const address = parseGitAddress(word);
  const folder = `${workshop.folder}/repository-${system.machine.randomHex(8)}`;
  system.files.mkdir(folder, 0o755);
  const { commit } = await checkOut(system, proxies, address, folder, keepGitFolder, gone);
  const expected = checksum.replace(/^sha(?:1|256):/, '').toLowerCase();
  if (checksum !== '' && (expected.length < 7 || !commit.startsWith(expected))) throw dockerfileError(line, `digest mismatch for ${word}: expected ${checksum}, got ${commit}`);
  const root = system.files.openRoot(folderWithin(system, folder, address));
  session.openRoots.push(root);
  return { from: { root, base: '', identity: `git:${commit}:${address.folder}:${keepGitFolder ? 'whole' : ''}` }, words: ['.'], unpack: false };
}

/** Downloads what an address gives, to copy it from there. */
async function fetchSource(session: BuildSession, address: string, checksum: string, unpack: boolean, line: number): Promise<CopyPlan['sources'][number]> {
  const { containers, workshop, proxies, gone } = session;
  const { files, machine } = containers.system;
  const name = nameOfAddress(address);
  if (name === '') throw dockerfileError(line, `cannot determine a file name from ${address}`);
  const folder = `${workshop.folder}/download-${machine.randomHex(8)}`;
  files.mkdir(folder, 0o700);
  const { modifiedSeconds } = await fetchFile(containers.system, proxies, address, `${folder}/${name}`, gone);
  const root = files.openRoot(folder);
  session.openRoots.push(root);
  if (modifiedSeconds !== undefined) root.utimes(name, modifiedSeconds, 0);
  if (checksum !== '') {
    const actual = `sha256:${(await sha256File(`${folder}/${name}`)).hex}`;
    if (actual !== checksum) throw dockerfileError(line, `digest mismatch for ${address}: expected ${checksum}, got ${actual}`);
  }
  return { from: { root, base: '' }, words: [escapePattern(name)], unpack };
}

function escapePattern(name: string): string {
  return name.replaceAll(/[*?[\]\\]/g, '\\$&');
}
