import type { ResolvedLayer, YoctoProject } from '../layers/resolve.ts';

/** A kas file's data. The fields are those of kas' own schema, header version 14 (kas 4.0), the first with `commit`. */
export interface KasProject {
  header: { version: 14 };
  machine: string;
  distro: string;
  target: string[];
  repos: Record<string, KasRepository>;
  bblayers_conf_header: Record<string, string>;
  local_conf_header: Record<string, string>;
}

export interface KasRepository {
  url?: string;
  commit?: string;
  branch?: string;
  path?: string;
  /** A value of `disabled` takes the top folder out; null is an enabled layer. */
  layers?: Record<string, 'disabled' | null>;
}

/** What kas needs to build the same with the same layers. `localConf` without MACHINE and DISTRO, which kas writes itself. */
export function kasProject(project: YoctoProject, localConf: string, targets: readonly string[]): KasProject {
  const own = /^(MACHINE|DISTRO|CONF_VERSION) = /;
  return {
    header: { version: 14 },
    machine: project.machine,
    distro: project.distro,
    target: [...targets],
    repos: Object.fromEntries([
      [project.bitbake.name, repository(project.bitbake, { '.': 'disabled' })],
      // Beside the kas file, or wherever the checkout of this project is.
      ['meta-minke', { path: 'layers/meta-minke' }],
      ...project.layers.map((layer): [string, KasRepository] => [layer.name, repository(layer, Object.fromEntries(layer.folders.map((folder) => [folder, null])))]),
    ]),
    bblayers_conf_header: { osbuild: 'BBPATH = "${TOPDIR}"\nBBFILES ?= ""\n' },
    local_conf_header: {
      osbuild: localConf
        .split('\n')
        .filter((line) => !own.test(line) && !line.startsWith('#'))
        .join('\n')
        .replace(/^\n+/, ''),
    },
  };
}

function repository({ source, folders }: ResolvedLayer, layers: NonNullable<KasRepository['layers']>): KasRepository {
  const place = 'path' in source ? { path: source.path } : { url: source.git, commit: source.commit, ...(source.branch === null ? {} : { branch: source.branch }) };
  return folders.length === 1 && folders[0] === '.' && layers['.'] !== 'disabled' ? place : { ...place, layers };
}
