import type { ApplicationsStatus } from '../engine/compose/status.ts';
import { OsbuildError, type Emit } from '../model/index.ts';
import type { Build, Deployment } from './compose.ts';
import { besideCompose, pack, readContext, type Context } from './context.ts';
import type { Device } from './device.ts';
import { contextTag, imageName } from './names.ts';

export interface DeployOptions {
  device: Device;
  deployment: Deployment;
  /** Build although nothing changed, of newer base images. */
  pull: boolean;
  emit: Emit;
  signal: AbortSignal;
  /** How long services may take to become what they should be. */
  patienceMs: number;
  /** How long one may be failing before it counts. */
  failingMs?: number;
}

export interface Deployed {
  /** Services whose images were built now. */
  built: string[];
  status: ApplicationsStatus;
}

const pollMs = 500;
const usualFailingMs = 10_000;

/**
 * Builds what has to be built, puts the compose file in place, and waits until it is in force. Until everything is built nothing changes there.
 * Throws OSB_CONFIG_INVALID, OSB_TASK_FAILED, OSB_DISK_FULL, OSB_REMOTE_HOST, OSB_CANCELLED.
 */
export async function deploy(options: DeployOptions): Promise<Deployed> {
  const { device, deployment, emit } = options;
  const contexts = new Map<Build, Context>();
  for (const build of deployment.builds) contexts.set(build, await readContext(build));
  for (const warning of deployment.warnings) emit({ type: 'notice', level: 'warning', code: 'COMPOSE', message: warning });
  const there = contexts.size === 0 ? new Map<string, string>() : await device.images();
  const images = new Map<string, string>();
  const keep = new Set<string>();
  const built: string[] = [];
  for (const [build, context] of contexts) {
    const known = contextTag(build.service, context.digest);
    const found = options.pull || build.pull || build.noCache ? undefined : there.get(known);
    const id = found ?? (await buildOne(options, build, context));
    if (found === undefined) built.push(build.service);
    const name = imageName(build.service, id);
    if (there.get(name) === undefined) await device.tag(id, name);
    images.set(build.service, name);
    keep.add(known).add(name);
  }
  const before = await device.status();
  const { changed, kept } = await device.place(pack(besideCompose(deployment.folder, deployment.files.map(({ path }) => path), deployment.compose(images))));
  if (kept !== null) emit({ type: 'notice', level: 'info', code: 'COMPOSE_KEPT', message: `the compose file that was there is ${kept} now` });
  let status = await settle(options);
  const stale = staleServices(deployment, changed, before, status);
  if (stale.length > 0) {
    await device.restart(stale);
    status = await settle(options);
  }
  if (contexts.size > 0) await device.tidy(keep);
  return { built, status };
}

/** Services that have a file mounted which is another one now, in a container that was there before. Pure. */
export function staleServices({ binds }: Pick<Deployment, 'binds'>, changed: readonly string[], before: Pick<ApplicationsStatus, 'services'>, now: Pick<ApplicationsStatus, 'services'>): string[] {
  const old = new Set(before.services.flatMap(({ containers }) => containers.map(({ id }) => id)));
  const mounted = (service: string): boolean => (binds.get(service) ?? []).some((source) => changed.some((path) => path === source));
  return now.services.filter(({ name, containers }) => mounted(name) && containers.some(({ id }) => old.has(id))).map(({ name }) => name);
}

async function buildOne({ device, pull, emit }: DeployOptions, build: Build, context: Context): Promise<string> {
  const id = `deploy/${build.service}`;
  const title = `Build ${build.service} on ${device.name}`;
  const begin = performance.now();
  emit({ type: 'task-start', id, title });
  const image = await device.build(build, context, { pull, step: (done, total, text) => emit({ type: 'task-progress', id, done, total, unit: 'items', detail: text }) });
  emit({ type: 'task-done', id, title, cached: false, durationMs: Math.round(performance.now() - begin) });
  return image;
}

/** Asks until everything is as the file says. Throws OSB_TASK_FAILED where a service fails, or takes too long. */
async function settle({ device, signal, patienceMs, failingMs = usualFailingMs }: DeployOptions): Promise<ApplicationsStatus> {
  let status = await device.status('apply');
  const begin = performance.now();
  let failingSince: number | null = null;
  for (;;) {
    if (signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
    if (status.problems.length > 0) throw new OsbuildError('OSB_TASK_FAILED', `${device.name} does not take the compose file: ${status.problems.join('\n')}`, { hint: 'what ran before still runs; is the OS of the device older than this program?' });
    const failing = status.services.filter(({ state }) => state === 'failing');
    if (status.settled && failing.length === 0 && status.failures.length === 0) return status;
    const now = performance.now();
    failingSince = failing.length === 0 && status.failures.length === 0 ? null : (failingSince ?? now);
    if (failingSince !== null && now - failingSince >= failingMs) throw await failure(device, status);
    if (now - begin >= patienceMs) {
      const waiting = status.services.filter(({ state }) => state === 'waiting').map(({ name, detail }) => `${name} waits for ${detail}`);
      throw new OsbuildError('OSB_TASK_FAILED', `${device.name} has not got there within ${Math.round(patienceMs / 1000)} s: ${waiting.join('; ') || 'it is busy'}`, { hint: 'it goes on by itself; `minke os applications status` there tells how far it is' });
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
    status = await device.status();
  }
}

async function failure(device: Device, status: ApplicationsStatus): Promise<OsbuildError> {
  const lines = [...status.failures];
  for (const { name, state, detail, containers } of status.services) {
    if (state !== 'failing') continue;
    lines.push(`${name}: ${detail}`);
    const [container] = containers;
    const said = container === undefined ? '' : await device.lastLines(container.name, 10);
    if (said !== '') lines.push(...said.split('\n').map((line) => `  ${line}`));
  }
  const full = lines.some((line) => /no space left on device/i.test(line));
  return new OsbuildError(full ? 'OSB_DISK_FULL' : 'OSB_TASK_FAILED', `the compose file is in place on ${device.name}, and something is wrong:\n${lines.join('\n')}`, { hint: full ? '`minke system prune` there frees some' : 'the device goes on trying; correct it and deploy again' });
}
