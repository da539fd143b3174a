import { EngineError } from '../error.ts';
import type { ContainerContext } from './context.ts';
import type { PlannedMount } from './mount-plan.ts';
import type { MountPoint } from './record.ts';

export interface VolumesFrom {
  container: string;
  /** 'ro', 'rw', or '' for what they are over there. */
  mode: string;
}

/** 'container[:mode]'. Throws 'invalid'. */
export function parseVolumesFrom(text: string): VolumesFrom {
  const [container = '', mode = '', ...rest] = text.split(':');
  if (container === '' || rest.length > 0) throw invalid(`invalid volumes-from specification: ${text}`);
  if (!['', 'ro', 'rw', 'z', 'Z'].includes(mode)) throw invalid(`invalid mode for volumes-from: ${mode}`);
  return { container, mode };
}

/** Mounts of other containers, as this one gets them; what is in memory (tmpfs) stays with its owner. */
export function borrowMounts(mounts: readonly MountPoint[], mode: string): PlannedMount[] {
  return mounts
    .filter(({ type }) => type !== 'tmpfs')
    .map((mount) => ({ ...mount, ...(mode === '' ? {} : { mode, readOnly: mode === 'ro' }), copyUp: false, createSource: false, labels: {} }));
}

/** Of all the containers that --volumes-from names; of two mounts in one place the later stands. Throws 'invalid' for unknown ones: at a create, clients take "not found" for a missing image. */
export function borrowedMounts({ collection }: ContainerContext, wanted: readonly string[]): PlannedMount[] {
  return wanted.flatMap((text) => {
    const { container, mode } = parseVolumesFrom(text);
    try {
      return borrowMounts(collection.find(container).record.mounts, mode);
    } catch (error) {
      if (error instanceof EngineError && error.kind === 'not-found') throw invalid(error.message);
      throw error;
    }
  });
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', 'VOLUMES_FROM', message);
}
