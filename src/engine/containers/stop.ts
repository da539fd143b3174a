import { EngineError } from '../error.ts';
import type { Container } from './collection.ts';
import { emit, nowIso, type ContainerContext } from './context.ts';
import { unwatchHealth, watchHealth } from './health-monitor.ts';
import { isLive } from './record.ts';
import { parseSignal, SIGKILL, SIGTERM } from './signals.ts';
import { startContainer } from './start.ts';

const DEFAULT_TIMEOUT_S = 10;
/** Somebody else may have frozen it: a `crun pause` of a daemon that was killed, say. */
const THAW_AFTER_MS = 2000;
/** After SIGKILL the kernel has to be done with it; uninterruptible processes may not be. */
const KILL_PATIENCE_MS = 20_000;

export interface StopOptions {
  /** Negative: no limit. Undefined: the container's own, else ten seconds. */
  timeoutS: number | undefined;
  signal: string | undefined;
}

export async function stopContainer(context: ContainerContext, container: Container, options: StopOptions): Promise<void> {
  const { state, config } = container.record;
  if (state.status === 'restarting' && (await cancelRestart(context, container))) return;
  if (!isLive(state)) throw new EngineError('not-modified', 'NOT_RUNNING', 'container is not running');
  const signal = parseSignal(options.signal ?? config.StopSignal ?? String(SIGTERM));
  const timeoutS = options.timeoutS ?? config.StopTimeout ?? DEFAULT_TIMEOUT_S;
  state.stoppedByUser = true;
  await context.collection.save(container);
  await endContainer(context, container, signal, timeoutS < 0 ? Number.POSITIVE_INFINITY : timeoutS * 1000);
  emit(context, container, 'stop');
}

/** How long a container gets when the system goes down: what it names itself (negative: no limit), else at most `leastS`. In seconds. */
export const lastPatienceS = ({ config }: Container['record'], leastS: number): number => {
  const own = config.StopTimeout ?? Math.min(DEFAULT_TIMEOUT_S, leastS);
  return own < 0 ? Number.POSITIVE_INFINITY : own;
};

/** Ends a container since the daemon or the whole system goes down: by the signal that it wants, and so that its policy brings it back. */
export async function endWithSystem(context: ContainerContext, container: Container, leastS: number): Promise<void> {
  const { state, config } = container.record;
  state.endedWithSystem = true;
  await context.collection.save(container);
  await endContainer(context, container, parseSignal(config.StopSignal ?? String(SIGTERM)), lastPatienceS(container.record, leastS) * 1000);
}

export async function restartContainer(context: ContainerContext, container: Container, options: StopOptions): Promise<void> {
  if (isLive(container.record.state) || container.record.state.status === 'restarting') await stopContainer(context, container, options);
  await startContainer(context, container);
  emit(context, container, 'restart');
}

/** Sends `signal`, then SIGKILL after the patience, and resolves when the end has been dealt with. */
export async function endContainer(context: ContainerContext, container: Container, signal: number, patienceMs: number): Promise<void> {
  if (container.record.state.status === 'restarting' && (await cancelRestart(context, container))) return;
  // It came to its end by itself meanwhile.
  if (!isLive(container.record.state)) return;
  const { clock } = context.system;
  const ended = exitOf(container);
  const timers: (() => void)[] = [];
  try {
    await signalContainer(context, container, signal);
    if (signal !== SIGKILL && patienceMs !== Number.POSITIVE_INFINITY) {
      timers.push(clock.after(patienceMs, () => void signalContainer(context, container, SIGKILL).catch(() => undefined)));
    }
    if (patienceMs !== Number.POSITIVE_INFINITY) timers.push(clock.after(patienceMs + THAW_AFTER_MS, () => void context.runtime.resume(container.id).catch(() => undefined)));
    if (patienceMs === Number.POSITIVE_INFINITY) {
      await ended.promise;
      return;
    }
    const gaveUp = new Promise<'gave up'>((resolve) => {
      timers.push(clock.after(patienceMs + KILL_PATIENCE_MS, () => resolve('gave up')));
    });
    if ((await Promise.race([ended.promise, gaveUp])) === 'gave up') {
      throw new EngineError('internal', 'WILL_NOT_DIE', `tried to kill container, but did not receive an exit event: ${container.id}`);
    }
  } finally {
    ended.forget();
    for (const cancel of timers) cancel();
  }
}

export async function killContainer(context: ContainerContext, container: Container, signalText: string): Promise<void> {
  const { state, config } = container.record;
  const signal = parseSignal(signalText === '' ? String(SIGKILL) : signalText);
  if (state.status === 'restarting' && (await cancelRestart(context, container))) return;
  if (!isLive(state)) {
    throw new EngineError('conflict', 'NOT_RUNNING', `cannot kill container: ${container.id}: container ${container.id} is not running`);
  }
  if (signal === SIGKILL || signal === parseSignal(config.StopSignal ?? String(SIGTERM))) {
    state.stoppedByUser = true;
    await context.collection.save(container);
  }
  if (signal === SIGKILL) await endContainer(context, container, SIGKILL, 0);
  else await signalContainer(context, container, signal);
}

async function signalContainer(context: ContainerContext, container: Container, signal: number): Promise<void> {
  const { system } = context;
  const { state } = container.record;
  emit(context, container, 'kill', { signal: String(signal) });
  if (state.pid > 0) system.processes.kill(state.pid, signal);
  // A frozen cgroup takes no signal, SIGKILL least of all in cgroup v1.
  if (state.status === 'paused' && (signal === SIGKILL || signal === SIGTERM)) await thaw(context, container);
}

/** One that has just come to its end is not there any more to be thawed; its end is being dealt with. */
async function thaw({ runtime }: ContainerContext, { id }: Container): Promise<void> {
  try {
    await runtime.resume(id);
  } catch (error) {
    const status = await runtime.status(id);
    if (status !== undefined && status !== 'stopped') throw error;
  }
}

function exitOf(container: Container): { promise: Promise<number>; forget(): void } {
  let listener: (code: number) => void = () => undefined;
  const promise = new Promise<number>((resolve) => {
    listener = resolve;
    container.onExit.add(listener);
  });
  return { promise, forget: () => container.onExit.delete(listener) };
}

/** Whether there was still something to cancel: a restart that has begun comes to its end first, and then it runs. */
async function cancelRestart(context: ContainerContext, container: Container): Promise<boolean> {
  const { state } = container.record;
  container.cancelRestart?.();
  container.cancelRestart = undefined;
  state.stoppedByUser = true;
  return container.queue(async () => {
    if (isLive(state)) return false;
    // An end that was being dealt with has planned a restart since.
    container.cancelRestart?.();
    container.cancelRestart = undefined;
    Object.assign(state, { status: 'exited', finishedAt: nowIso(context) });
    await context.collection.save(container);
    return true;
  });
}

export async function pauseContainer(context: ContainerContext, container: Container): Promise<void> {
  await container.queue(async () => {
    const { state } = container.record;
    if (state.status === 'paused') throw new EngineError('conflict', 'ALREADY_PAUSED', `container ${container.id} is already paused`);
    if (state.status !== 'running') throw new EngineError('conflict', 'NOT_RUNNING', `container ${container.id} is not running`);
    try {
      await context.runtime.pause(container.id);
    } catch (error) {
      // It may have been frozen before the runtime failed, and would take no signal then.
      await context.runtime.resume(container.id).catch(() => undefined);
      throw error;
    }
    state.status = 'paused';
    unwatchHealth(container);
    await context.collection.save(container);
  });
  emit(context, container, 'pause');
}

export async function unpauseContainer(context: ContainerContext, container: Container): Promise<void> {
  await container.queue(async () => {
    const { state } = container.record;
    if (state.status !== 'paused') throw new EngineError('conflict', 'NOT_PAUSED', `container ${container.id} is not paused`);
    await context.runtime.resume(container.id);
    state.status = 'running';
    watchHealth(context, container, 'recovery');
    await context.collection.save(container);
  });
  emit(context, container, 'unpause');
}
