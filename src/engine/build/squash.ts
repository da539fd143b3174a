import { sha256 } from 'host:crypto';
import { nowIso, stageUpper, withFiles } from '../containers/index.ts';
import type { ImageConfig } from '../images/index.ts';
import type { Root } from '../ports/index.ts';
import { copyTree, kindAt } from './copy-tree.ts';
import type { Pace } from './file-tree.ts';
import type { BuildSession } from './session.ts';
import type { StageState } from './stage-state.ts';

const OPAQUE = 'trusted.overlay.opaque';

/** One layer of all that a build put above its base. Gives the id of the new image. */
export async function squash(session: BuildSession, state: StageState, base: StageState): Promise<string> {
  const { containers, workshop, pace, steps } = session;
  const { system, layers, paths, images } = containers;
  const above = state.diffIds.slice(base.diffIds.length);
  const container = await workshop.make({ id: base.imageId, diffIds: base.diffIds, config: {} }, { Cmd: ['#(nop) squash'], HostConfig: { NetworkMode: 'none' } });
  try {
    await withFiles(containers, container, 'bare', async (root) => {
      for (const diffId of above) {
        const layer = layers.get(diffId);
        if (layer === undefined) throw new Error(`layer ${diffId} is missing`);
        const from = system.files.openRoot(`${paths.layers}/${layer.folder}/diff`);
        try {
          await removeHidden(from, '', root, pace);
          await copyTree(system.files, from, '/', root, '/', { owner: undefined, mode: undefined }, undefined, pace, isWhiteout);
        } finally {
          from.close();
        }
      }
    });
    const staged = await stageUpper(containers, container);
    const created = nowIso(containers);
    const comment = `merge ${state.imageId} to ${base.imageId === '' ? 'scratch' : base.imageId}`;
    const document: ImageConfig = {
      ...images.config(state.imageId), created, rootfs: { type: 'layers', diff_ids: [...base.diffIds, staged.diffId] },
      history: [...base.history, ...state.history.slice(base.history.length).map((entry) => ({ ...entry, empty_layer: true })), { created, comment }],
    };
    const text = JSON.stringify(document);
    const id = `sha256:${sha256(text)}`;
    await steps.put(id, base.imageId, sha256(`squash ${state.imageId} ${created}`));
    return await images.add(text, [staged]);
  } finally {
    await workshop.remove(container);
  }
}

function isWhiteout({ type, rdevMajor, rdevMinor }: { type: string; rdevMajor: number; rdevMinor: number }): boolean {
  return type === 'character' && rdevMajor === 0 && rdevMinor === 0;
}

/** What a layer hides of those below it goes. */
async function removeHidden(layer: Root, path: string, root: Root, pace: Pace): Promise<void> {
  for (const { name } of layer.readdir(path === '' ? '/' : path)) {
    const inside = `${path}/${name}`;
    const stat = layer.lstat(inside);
    await pace.step(0);
    if (isWhiteout(stat)) await root.removeTree(inside);
    if (stat.type !== 'directory') continue;
    if (layer.getXattr(inside, OPAQUE) !== null && kindAt(root, inside) === 'directory') {
      for (const below of root.readdir(inside)) await root.removeTree(`${inside}/${below.name}`);
    } else await removeHidden(layer, inside, root, pace);
  }
}
