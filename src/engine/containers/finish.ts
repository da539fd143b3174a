import { messageOf, systemErrorCode } from '../error.ts';
import { releaseAttachments } from './attachments.ts';
import type { Container } from './collection.ts';
import { bundleFolder, emit, nowIso, type ContainerContext, type ContainerLife } from './context.ts';
import { unwatchHealth } from './health-monitor.ts';
import { removeRecord } from './remove.ts';
import { nextRestartDelayMs, shouldRestart } from './restart-policy.ts';
import { startContainer } from './start.ts';

/** What is said of a container whose conmon vanished without leaving an exit code. */
const UNKNOWN_EXIT = 137;

/** What follows from a container's end; the daemon plugs it into the context. */
export function containerLife(context: () => ContainerContext): ContainerLife {
  const report = (container: Container, what: string) => (error: unknown) => {
    context().system.reporter.log('error', what, { container: container.id, error: messageOf(error) });
  };
  return {
    ended(container) {
      finishContainer(context(), container).catch(report(container, 'cleaning up after a container failed'));
    },
    startFailed(container) {
      if (!container.record.hostConfig.AutoRemove) return;
      container.queue(() => removeRecord(context(), container, true)).catch(report(container, 'removing a container that did not start failed'));
    },
  };
}

/** The exit code that conmon left; undefined when it has left none. */
export function readExitCode({ system, paths }: ContainerContext, id: string): number | undefined {
  try {
    const code = Number(system.files.readText(`${paths.exits}/${id}`).trim());
    return Number.isInteger(code) ? code : undefined;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Takes note of a container's end: frees what it held, and starts or removes it as its policy says. */
export async function finishContainer(context: ContainerContext, container: Container): Promise<void> {
  let again = false;
  await container.queue(async () => {
    const { id, record } = container;
    const { state } = record;
    container.stopWatching?.();
    container.stopWatching = undefined;
    unwatchHealth(container);
    // As Docker: what does not run is not healthy.
    if (state.health !== undefined) state.health.status = 'unhealthy';
    const ranMs = context.system.clock.now() - Date.parse(state.startedAt);
    const exitCode = readExitCode(context, id) ?? UNKNOWN_EXIT;
    const oomKilled = context.system.files.exists(`${bundleFolder(context, id)}/oom`);
    await releaseContainer(context, container);
    Object.assign(state, { pid: 0, conmonPid: 0, exitCode, oomKilled, finishedAt: nowIso(context) });
    again = !context.stopping() && shouldRestart({ policy: record.hostConfig.RestartPolicy, exitCode, stoppedByUser: state.stoppedByUser, restartCount: state.restartCount });
    state.status = again ? 'restarting' : 'exited';
    // One that is removed next need not be written before: after a crash it is found without its process, and comes here again.
    if (again || !record.hostConfig.AutoRemove) await context.collection.save(container);
    if (oomKilled) emit(context, container, 'oom');
    emit(context, container, 'die', { exitCode: String(exitCode), execDuration: String(Math.max(0, Math.round(ranMs / 1000))) });
    for (const listener of container.onExit) listener(exitCode);
    if (again) scheduleRestart(context, container, ranMs);
  });
  if (!again && container.record.hostConfig.AutoRemove) await container.queue(() => removeRecord(context, container, true));
}

/** Gives back everything that a run held: cgroup, network, mounts, run-time files. Each step is tried whatever became of the others. */
export async function releaseContainer(context: ContainerContext, container: Container): Promise<void> {
  const { runtime, rootfs, system, paths } = context;
  const { id } = container;
  const attempt = async (what: string, step: () => Promise<void> | void): Promise<void> => {
    try {
      await step();
    } catch (error) {
      system.reporter.log('warn', `a container's ${what} could not be released`, { container: id, error: messageOf(error) });
    }
  };
  // The runtime is a program and takes its time; it reads the bundle, and nothing else of what goes meanwhile.
  const runtimeGone = attempt('runtime', () => runtime.remove(id));
  await attempt('network', () => releaseAttachments(context, container));
  await attempt('rootfs', () => rootfs.unmount(id));
  await runtimeGone;
  await attempt('bundle', () => system.files.removeTree(bundleFolder(context, id)));
  await attempt('exit file', () => system.files.removeTree(`${paths.exits}/${id}`));
}

export function scheduleRestart(context: ContainerContext, container: Container, ranMs: number): void {
  container.restartDelayMs = nextRestartDelayMs(container.restartDelayMs, ranMs);
  container.cancelRestart = context.system.clock.after(container.restartDelayMs, () => {
    container.cancelRestart = undefined;
    if (context.stopping()) return;
    container.record.state.restartCount += 1;
    startContainer(context, container, true).catch((error: unknown) => {
      context.system.reporter.log('warn', 'a container could not be started again', { container: container.id, error: messageOf(error) });
      const { state, hostConfig } = container.record;
      if (state.status === 'exited' && shouldRestart({ policy: hostConfig.RestartPolicy, exitCode: state.exitCode, stoppedByUser: state.stoppedByUser, restartCount: state.restartCount })) {
        scheduleRestart(context, container, 0);
      }
    });
  });
}
