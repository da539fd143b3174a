import { concat, text } from 'host:bytes';
import { messageOf } from '../error.ts';
import { createCancellation, type Chunk, type System } from '../ports/index.ts';
import type { AttachClient } from './attach.ts';
import type { Container } from './collection.ts';
import { emit, nowIso, type ContainerContext } from './context.ts';
import { createExec, startExec } from './exec.ts';
import { afterProbe, planHealth, PROBE_OUTPUT_BYTES, untilNextProbeMs, type HealthPlan, type HealthProbe } from './health.ts';
import { SIGKILL } from './signals.ts';

/** Starts checking a container that runs. After a restart of the daemon it goes on with what it knew. */
export function watchHealth(context: ContainerContext, container: Container, from: 'start' | 'recovery'): void {
  unwatchHealth(container);
  const { config, state } = container.record;
  const plan = planHealth(config.Healthcheck, config.Shell);
  if (plan === undefined) {
    delete state.health;
    return;
  }
  if (from === 'start' || state.health === undefined) state.health = { status: 'starting', failingStreak: 0, log: [] };
  schedule(context, container, plan);
}

export function unwatchHealth(container: Container): void {
  container.cancelHealth?.();
  container.cancelHealth = undefined;
}

function schedule(context: ContainerContext, container: Container, plan: HealthPlan): void {
  const { clock } = context.system;
  const gone = createCancellation();
  const delayMs = untilNextProbeMs(container.record.state.health?.status ?? 'starting', plan, sinceStartMs(context, container));
  const cancelTimer = clock.after(delayMs, () => {
    void check(context, container, plan, gone).catch((error: unknown) => {
      context.system.reporter.log('warn', 'a health check failed to run', { container: container.id, error: messageOf(error) });
      if (!gone.cancelled) schedule(context, container, plan);
    });
  });
  container.cancelHealth = () => {
    cancelTimer();
    gone.cancel();
  };
}

async function check(context: ContainerContext, container: Container, plan: HealthPlan, gone: ReturnType<typeof createCancellation>): Promise<void> {
  const { record } = container;
  const begunMs = sinceStartMs(context, container);
  const probe = await runProbe(context, container, plan, gone);
  if (gone.cancelled || record.state.health === undefined) return;
  const before = record.state.health.status;
  record.state.health = afterProbe(record.state.health, probe, plan, begunMs);
  const { status } = record.state.health;
  if (status !== before) {
    // Only what changes is worth a write: flash wears out.
    await container.queue(() => context.collection.save(container));
    emit(context, container, `health_status: ${status}`);
  }
  if (!gone.cancelled) schedule(context, container, plan);
}

async function runProbe(context: ContainerContext, container: Container, plan: HealthPlan, gone: ReturnType<typeof createCancellation>): Promise<HealthProbe> {
  const { clock, processes } = context.system;
  const start = nowIso(context);
  const output = createOutput();
  let late = false;
  const id = createExec(context, container, {
    tty: false, stdin: false, stdout: true, stderr: true, privileged: false, user: '', workingDir: '', env: [], argv: plan.argv, detachKeys: '',
  });
  const session = context.execs.get(id);
  const cancelTimer = clock.after(plan.timeoutMs, () => {
    late = true;
    if (session !== undefined && session.pid > 0) for (const pid of processTree(context.system, session.pid)) processes.kill(pid, SIGKILL);
    output.close();
  });
  try {
    await startExec(context, id, gone, true, async () => output);
  } catch (error) {
    return { start, end: nowIso(context), exitCode: -1, output: messageOf(error) };
  } finally {
    cancelTimer();
    container.execIds.delete(id);
    context.execs.delete(id);
  }
  if (late) return { start, end: nowIso(context), exitCode: -1, output: `Health check exceeded timeout (${plan.timeoutMs / 1000}s): ${output.text()}`.slice(0, PROBE_OUTPUT_BYTES) };
  return { start, end: nowIso(context), exitCode: session?.exitCode ?? -1, output: output.text() };
}

/** A process and all below it, as far as they can be seen. */
function processTree(system: System, pid: number): number[] {
  try {
    const children = system.files.readText(`/proc/${pid}/task/${pid}/children`).trim();
    return [pid, ...(children === '' ? [] : children.split(/\s+/)).flatMap((child) => processTree(system, Number(child)))];
  } catch {
    return [pid];
  }
}

/** Keeps the beginning of what a check writes, and lets the rest go by. */
function createOutput(): AttachClient & { text(): string } {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  let cut = false;
  let end: (value: null) => void = () => undefined;
  const ended = new Promise<null>((resolve) => {
    end = resolve;
  });
  const keep = (data: Chunk): void => {
    if (typeof data === 'string' || !(data instanceof Uint8Array)) return;
    const room = PROBE_OUTPUT_BYTES - sizeBytes;
    if (data.length > room) cut = true;
    if (room <= 0) return;
    parts.push(data.slice(0, room));
    sizeBytes += Math.min(room, data.length);
  };
  return {
    read: () => ended,
    write: async (data) => keep(data),
    shutdown: async () => end(null),
    close: () => end(null),
    text: () => `${text(concat(parts))}${cut ? '...' : ''}`,
  };
}

function sinceStartMs(context: ContainerContext, { record }: Container): number {
  return context.system.clock.now() - Date.parse(record.state.startedAt);
}
