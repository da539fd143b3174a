import { messageOf } from '../error.ts';
import { CONMON_PID_FILE, PID_FILE } from '../runtime/index.ts';
import { adoptAttachments } from './attachments.ts';
import type { Container } from './collection.ts';
import { bundleFolder, nowIso, type ContainerContext } from './context.ts';
import { awaitCutStart } from './cut-start.ts';
import { finishContainer, readExitCode, releaseContainer } from './finish.ts';
import { watchHealth } from './health-monitor.ts';
import { readLent } from './lent.ts';
import { isLive } from './record.ts';
import { removeRecord } from './remove.ts';
import { startsWithDaemon } from './restart-policy.ts';
import { startContainer } from './start.ts';
import { watchContainer } from './watch.ts';

/** The machine went down with the container running: Docker's code for it. */
const LOST_EXIT = 255;

/**
 * Brings records and reality together after a crash, an upgrade or a reboot: running containers are watched again, ended ones are
 * finished, remains without an owner go. Returns what is to be started by policy once the daemon answers.
 */
export async function recoverContainers(context: ContainerContext): Promise<Container[]> {
  const { collection, system } = context;
  const starts: Container[] = [];
  for (const container of collection.all()) {
    const { state, hostConfig } = container.record;
    const before = state.status;
    try {
      const wasRunning = isLive(state) || before === 'restarting';
      await recoverOne(context, container);
      if (isLive(state) || collection.all().every(({ id }) => id !== container.id)) continue;
      if (before === 'created' || state.status === 'restarting') continue;
      if (hostConfig.AutoRemove) {
        await container.queue(() => removeRecord(context, container, true));
        continue;
      }
      const ended = state.endedWithSystem === true;
      if (startsWithDaemon(hostConfig.RestartPolicy, state.stoppedByUser, wasRunning || ended, ended ? LOST_EXIT : state.exitCode)) starts.push(container);
    } catch (error) {
      system.reporter.log('error', 'a container could not be recovered', { container: container.id, error: messageOf(error) });
    }
  }
  await removeStrays(context);
  return starts;
}

async function recoverOne(context: ContainerContext, container: Container): Promise<void> {
  const { runtime, system, collection } = context;
  const { id, record } = container;
  const { state } = record;
  const bundle = bundleFolder(context, id);
  if (!system.files.exists(bundle)) {
    if (isLive(state) || state.status === 'restarting') {
      Object.assign(state, { status: 'exited', pid: 0, conmonPid: 0, exitCode: LOST_EXIT, finishedAt: nowIso(context) });
      await collection.save(container);
    }
    return;
  }
  const status = await runtime.status(id);
  const alive = conmonAlive(context, id);
  if (alive !== undefined && (status === 'running' || status === 'paused') && readExitCode(context, id) === undefined) {
    if (!isLive(state)) {
      readLent(context, container);
      Object.assign(state, { exitCode: 0, oomKilled: false, error: '', startedAt: nowIso(context) });
    }
    Object.assign(state, { status, pid: readPid(context, `${bundle}/${PID_FILE}`), conmonPid: alive });
    await adoptAttachments(context, container);
    watchContainer(context, container);
    if (status === 'running') watchHealth(context, container, 'recovery');
    await collection.save(container);
    return;
  }
  if (isLive(state)) {
    // It ended while nobody watched. conmon, if it is just about to finish, goes with it.
    await finishContainer(context, container);
    return;
  }
  await awaitCutStart(context, id);
  await releaseContainer(context, container);
}

/** conmon's pid, if that process is still this container's conmon and not a stranger with its number. */
function conmonAlive(context: ContainerContext, id: string): number | undefined {
  try {
    const pid = readPid(context, `${bundleFolder(context, id)}/${CONMON_PID_FILE}`);
    return context.system.files.readText(`/proc/${pid}/cmdline`).includes(id) ? pid : undefined;
  } catch {
    return undefined;
  }
}

function readPid({ system }: ContainerContext, path: string): number {
  return Number(system.files.readText(path).trim());
}

/** Folders, mounts and runtime state that no record owns. */
async function removeStrays(context: ContainerContext): Promise<void> {
  const { collection, system, paths, rootfs, runtime } = context;
  const known = new Set(collection.all().map(({ id }) => id));
  const live = new Set(collection.all().filter(({ record }) => isLive(record.state)).map(({ id }) => id));
  for (const { name } of system.files.readdir(paths.bundles)) {
    if (live.has(name)) continue;
    await awaitCutStart(context, name);
    await runtime.remove(name);
    await system.files.removeTree(`${paths.bundles}/${name}`);
  }
  for (const id of rootfs.mounted()) if (!live.has(id)) rootfs.unmount(id);
  for (const { name } of system.files.readdir(paths.containers)) {
    if (!known.has(name)) await system.files.removeTree(`${paths.containers}/${name}`);
  }
  for (const { name } of system.files.readdir(paths.exits)) if (!live.has(name)) await system.files.removeTree(`${paths.exits}/${name}`);
}

/** Starts what the restart policies want, a few at a time. */
export async function startByPolicy(context: ContainerContext, containers: readonly Container[]): Promise<void> {
  for (const container of containers) {
    if (context.stopping()) return;
    try {
      await startContainer(context, container, true);
    } catch (error) {
      context.system.reporter.log('warn', 'a container could not be started', { container: container.id, error: messageOf(error) });
    }
  }
}
