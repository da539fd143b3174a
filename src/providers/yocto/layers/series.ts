import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { OsbuildError } from '../../../model/index.ts';

/** Releases that a layer says it is compatible with, from the text of its layer.conf; null where it says nothing. */
export function compatibleReleases(layerConf: string): string[] | null {
  const joined = layerConf.replaceAll(/\\\n/g, ' ');
  const values = [...joined.matchAll(/^\s*LAYERSERIES_COMPAT_[\w-]+\s*(?:\?*:?|\.|\+)=\s*(["'])(.*?)\1/gm)].map(([, , value]) => value ?? '');
  return values.length === 0 ? null : values.flatMap((value) => value.split(/\s+/).filter(Boolean));
}

/**
 * Checks that each folder of a source is a layer for this release. Throws OSB_LAYER_INVALID, naming what is there
 * instead. A variable among the releases is bitbake's to judge.
 */
export async function checkLayers(root: string, name: string, folders: readonly string[], release: string): Promise<void> {
  for (const folder of folders) {
    const file = join(folder, 'conf/layer.conf');
    const text = await readFile(join(root, file), 'utf8').catch(() => null);
    if (text === null) {
      const there = await layersIn(root);
      throw new OsbuildError('OSB_LAYER_INVALID', `${name} has no layer in its folder ${folder}: there is no ${file}`, {
        hint: there.length === 0 ? 'is it a repository of layers at all?' : `its layers: ${there.join(', ')}`,
      });
    }
    const releases = compatibleReleases(text);
    if (releases === null || releases.includes(release) || releases.some((word) => word.includes('${'))) continue;
    throw new OsbuildError('OSB_LAYER_INVALID', `the layer ${name}${folder === '.' ? '' : `/${folder}`} is for ${releases.join(', ')}, this build for ${release}`, {
      hint: `take a commit of its branch for ${release}, or set yocto.release with layers that all fit`,
      details: { layer: name, folder, releases, release },
    });
  }
}

/** bitbake's own source. Throws OSB_LAYER_INVALID. */
export async function checkBitbake(root: string): Promise<void> {
  await access(join(root, 'bin/bitbake')).catch(() => {
    throw new OsbuildError('OSB_LAYER_INVALID', `the source called bitbake has no bin/bitbake`, { hint: 'yocto.layers.bitbake of build.config.yaml names the repository of bitbake itself' });
  });
}

async function layersIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true });
  const candidates = ['.', ...entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name)];
  const found = await Promise.all(candidates.map(async (candidate) => ((await access(join(root, candidate, 'conf/layer.conf')).then(() => true, () => false)) ? candidate : null)));
  return found.filter((candidate) => candidate !== null).toSorted();
}
