import { isAbsolute, join } from 'node:path';

import { OsbuildError, type Build, type MachineSource } from '../../../model/index.ts';

type Settings = NonNullable<Build['yocto']>;
type Layer = NonNullable<Settings['layers']>[string];

/** A source of layers: a repository at one commit, or a folder of this machine. */
export interface ResolvedLayer {
  name: string;
  source: { git: string; commit: string; branch: string | null } | { path: string };
  /** Layers inside, relative; `.` is the source itself. */
  folders: string[];
}

/** Everything that the project and a machine say about a build by bitbake. */
export interface YoctoProject {
  machine: string;
  distro: string;
  image: string;
  initrdImage: string;
  release: string;
  bitbake: ResolvedLayer;
  /** In the order of BBLAYERS, openembedded-core first. */
  layers: ResolvedLayer[];
  /** Variables of the project, then of the machine. */
  settings: Record<string, string>;
  /** Shared state beyond this machine. */
  sstate?: SharedState;
}

export type SharedState = NonNullable<Settings['sstate']>;

export const coreLayer = 'openembedded-core';
export const bitbakeSource = 'bitbake';

/**
 * Pure. Throws OSB_USAGE for a machine that the provider does not support, OSB_CONFIG_INVALID for a layer that is used
 * but not defined, or defined by halves.
 * @param folder of the project, which paths are relative to
 */
export function resolveLayers(build: Build, machine: MachineSource, folder: string, nearest: (word: string, known: string[]) => string | null): YoctoProject {
  const yocto = machine.machine.yocto;
  if (yocto === undefined) {
    throw new OsbuildError('OSB_USAGE', `${machine.name} cannot be built by the yocto provider: ${machine.file} has no \`yocto\` part`, {
      hint: 'build it with --provider debian, or name its MACHINE and BSP layers in that file',
    });
  }
  const settings: Settings = build.yocto ?? {};
  const { release, distro, image, initrdImage, layers: known = {}, use = [] } = settings;
  if (release === undefined || distro === undefined || image === undefined || initrdImage === undefined) {
    throw invalid(folder, 'yocto: the keys release, distro, image and initrdImage are needed', '`base: osbuild` brings them');
  }
  const names = [...new Set([coreLayer, ...use, ...(yocto.layers ?? [])])].filter((name) => name !== bitbakeSource);
  const find = (name: string): ResolvedLayer => {
    const layer = known[name];
    if (layer !== undefined) return resolveLayer(name, layer, folder);
    const near = nearest(name, Object.keys(known));
    const by = yocto.layers?.includes(name) ? machine.file : join(folder, 'build.config.yaml');
    throw new OsbuildError('OSB_CONFIG_INVALID', `${by}: yocto: there is no layer called "${name}"`, {
      hint: near ? `did you mean "${near}"?` : `yocto.layers of build.config.yaml defines: ${Object.keys(known).toSorted().join(', ') || 'none'}`,
    });
  };
  return { machine: yocto.machine, distro, image, initrdImage, release, bitbake: find(bitbakeSource), layers: names.map(find), settings: { ...settings.settings, ...yocto.settings }, ...(settings.sstate === undefined ? {} : { sstate: settings.sstate }) };
}

/** One source by its name, for what needs no machine. Throws OSB_CONFIG_INVALID. */
export function resolveSource(build: Build, name: string, folder: string, nearest: (word: string, known: string[]) => string | null): ResolvedLayer {
  const known = build.yocto?.layers ?? {};
  const layer = known[name];
  if (layer !== undefined) return resolveLayer(name, layer, folder);
  const near = nearest(name, Object.keys(known));
  throw invalid(folder, `yocto.layers: there is no source called "${name}"`, near ? `is it the one called "${near}"?` : '`base: osbuild` brings it');
}

function resolveLayer(name: string, layer: Layer, folder: string): ResolvedLayer {
  const { git, commit, branch, path, folders = ['.'] } = layer;
  const outside = folders.find((inside) => isAbsolute(inside) || inside.split('/').includes('..'));
  if (outside !== undefined) throw invalid(folder, `yocto.layers.${name}: the folder ${outside} is not inside the source`);
  if (path !== undefined) {
    if (git !== undefined || commit !== undefined) throw invalid(folder, `yocto.layers.${name}: either path, or git and commit`);
    return { name, source: { path: isAbsolute(path) ? path : join(folder, path) }, folders };
  }
  if (git === undefined || commit === undefined) {
    throw invalid(folder, `yocto.layers.${name}: ${git === undefined ? 'git' : 'commit'} is missing`, 'a layer is a repository (git) at an exact commit, or a folder (path)');
  }
  return { name, source: { git, commit, branch: branch ?? null }, folders };
}

function invalid(folder: string, message: string, hint?: string): OsbuildError {
  return new OsbuildError('OSB_CONFIG_INVALID', `${join(folder, 'build.config.yaml')}: ${message}`, { hint });
}
