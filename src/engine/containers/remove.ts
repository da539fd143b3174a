import { EngineError } from '../error.ts';
import type { Container } from './collection.ts';
import { emit, type ContainerContext } from './context.ts';
import { isLive } from './record.ts';
import { SIGKILL } from './signals.ts';
import { endContainer } from './stop.ts';

export interface RemoveOptions {
  force: boolean;
  /** Anonymous volumes too. */
  volumes: boolean;
}

export async function removeContainer(context: ContainerContext, container: Container, options: RemoveOptions): Promise<void> {
  const { state } = container.record;
  const removedAtRest = (): Promise<boolean> =>
    container.queue(async () => {
      if (isLive(state)) return false;
      await removeRecord(context, container, options.volumes);
      return true;
    });
  do {
    if (isLive(state) || state.status === 'restarting') {
      if (!options.force) {
        const hint = state.status === 'paused' ? 'unpause and then stop the container before removal or force remove' : 'stop the container before removal or force remove';
        throw new EngineError('conflict', 'STILL_RUNNING', `cannot remove container "/${container.record.name}": container is ${state.status}: ${hint}`);
      }
      state.stoppedByUser = true;
      await endContainer(context, container, SIGKILL, 0);
    }
    // A start that had begun comes to its end first, and then it runs.
  } while (!(await removedAtRest()));
}

/** Within the container's queue. The record goes first: what a crash leaves after that is taken away at the next start. */
export async function removeRecord(context: ContainerContext, container: Container, volumes: boolean): Promise<void> {
  const { collection, rootfs, system, images } = context;
  const { id, record } = container;
  if (record.state.status === 'removing') return;
  record.state.status = 'removing';
  container.cancelRestart?.();
  rootfs.unmount(id);
  await collection.forget(container);
  const grave = `${context.paths.temporary}/${system.machine.randomHex(8)}`;
  system.files.rename(collection.folder(id), grave);
  for (const [execId, session] of context.execs) if (session.containerId === id) context.execs.delete(execId);
  emit(context, container, 'destroy');
  for (const pending of container.pendingAttach) pending.failed(new EngineError('conflict', 'REMOVING', `container ${id} was removed before it started`));
  for (const listener of container.onRemoved) listener(record.state.exitCode);
  await system.files.removeTree(grave);
  if (volumes) {
    for (const mount of record.mounts) if (mount.anonymous && !inUse(context, mount.name)) await context.volumes.remove(mount.name);
  }
  if (images.get(record.imageId) === undefined) await images.collect(usedLayers(context));
}

export function inUse({ collection }: ContainerContext, volume: string): boolean {
  return collection.all().some(({ record }) => record.mounts.some(({ type, name }) => type === 'volume' && name === volume));
}

/** Layers that containers stand on, whether or not their image is still there. */
export function usedLayers({ collection }: ContainerContext): Set<string> {
  return new Set(collection.all().flatMap(({ record }) => [...record.diffIds]));
}
