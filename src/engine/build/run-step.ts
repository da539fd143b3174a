import { encode } from 'host:bytes';
import { connectAttach, pumpAttach, stageUpper, startContainer, waitContainer, withFiles, type Container, type ContainerContext } from '../containers/index.ts';
import { EngineError } from '../error.ts';
import type { StagedLayer } from '../images/index.ts';
import type { Cancellation, Root } from '../ports/index.ts';
import { checkCancelled } from './file-tree.ts';
import { kindAt, parentOf } from './copy-tree.ts';
import type { BuildOutput } from './output.ts';
import { stateBase, type StageState } from './stage-state.ts';
import type { Workshop } from './workshop.ts';

/** A command of a Dockerfile that did not end with 0. */
export class CommandFailed extends EngineError {
  readonly exitCode: number;

  constructor(argv: readonly string[], exitCode: number) {
    super('internal', 'COMMAND_FAILED', `The command '${argv.join(' ')}' returned a non-zero code: ${exitCode}`);
    this.exitCode = exitCode;
  }
}

export interface RunRequest {
  argv: string[];
  /** Variables for this command alone. */
  env: string[];
  hostConfig: Record<string, unknown>;
  /** Places where mounts are put: what is made only to hold one is no change. */
  mountPoints: string[];
  keep: boolean;
}

const STDERR = 2;

/** Runs a command on a stage, shows what it writes, and gives what it changed. Throws CommandFailed. */
export async function runCommand(context: ContainerContext, workshop: Workshop, state: StageState, request: RunRequest, output: BuildOutput, gone: Cancellation): Promise<StagedLayer> {
  const { argv, env, hostConfig } = request;
  const base = stateBase(state, { Entrypoint: null, Cmd: null, Healthcheck: null, OnBuild: null });
  const container = await workshop.make(base, { Image: state.imageId, Cmd: argv, Entrypoint: [''], Env: env, AttachStdout: true, AttachStderr: true, HostConfig: { ...hostConfig, LogConfig: { Type: 'none' } } });
  let done = false;
  try {
    await output.say(` ---> Running in ${container.id.slice(0, 12)}\n`);
    const fresh = await withFiles(context, container, 'bare', (root) => Promise.resolve(missing(root, request.mountPoints)));
    const code = await execute(context, container, output, gone);
    checkCancelled(gone);
    if (code !== 0) throw new CommandFailed(argv, code ?? -1);
    await removePlaceholders(context, container, fresh);
    const staged = await stageUpper(context, container);
    done = true;
    return staged;
  } finally {
    if (request.keep && !gone.cancelled) workshop.release(container);
    else {
      await workshop.remove(container);
      if (done) await output.say(` ---> Removed intermediate container ${container.id.slice(0, 12)}\n`);
    }
  }
}

async function execute(context: ContainerContext, container: Container, output: BuildOutput, gone: Cancellation): Promise<number | undefined> {
  const exit = waitContainer(container, 'next-exit', gone);
  const connecting = connectAttach(context, container, gone);
  // A start that fails says so itself.
  connecting.catch(() => undefined);
  await startContainer(context, container);
  const process = await connecting;
  if (process !== undefined) {
    const client = {
      read: () => Promise.resolve(null),
      async write(data: unknown) {
        const [head, bytes] = Array.isArray(data) ? (data as (Uint8Array | string)[]) : [];
        if (head === undefined || bytes === undefined) return;
        const kind = typeof head === 'string' ? 0 : head[0];
        await output.program(kind === STDERR ? 'error' : 'out', typeof bytes === 'string' ? encode(bytes) : bytes);
      },
      shutdown: () => Promise.resolve(),
      close: () => undefined,
    };
    await pumpAttach(context.system.clock, process, client, { stdin: false, stdout: true, stderr: true, raw: false, detachKeys: new Uint8Array(0) }, gone);
  }
  return exit;
}

/** Of each place the topmost part that is not there yet. */
function missing(root: Root, places: readonly string[]): string[] {
  const fresh = new Set<string>();
  for (const place of places) {
    let top: string | undefined;
    for (let at = place; at !== '/' && kindAt(root, at, true) === undefined; at = parentOf(at)) top = at;
    if (top !== undefined) fresh.add(top);
  }
  return [...fresh];
}

async function removePlaceholders({ system, collection }: ContainerContext, { id }: Container, places: readonly string[]): Promise<void> {
  if (places.length === 0) return;
  const upper = system.files.openRoot(`${collection.folder(id)}/upper`);
  try {
    for (const place of places) if (kindAt(upper, place) !== undefined && isHollow(upper, place)) await upper.removeTree(place);
  } finally {
    upper.close();
  }
}

/** Nothing but folders and empty files. */
function isHollow(root: Root, path: string): boolean {
  const stat = root.lstat(path);
  if (stat.type === 'file') return stat.sizeBytes === 0;
  return stat.type === 'directory' && root.readdir(path).every(({ name }) => isHollow(root, `${path}/${name}`));
}
