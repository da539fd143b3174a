import { profileOption } from '../engine/unified-kernel/index.ts';
import { formatVerity, verityParameter, type Verity } from '../engine/verity/index.ts';

/** Texts of systemd-boot's loader.conf and type 1 entries (the UAPI group's Boot Loader Specification). */

/**
 * systemd-boot takes the first entry: of those with tries left, or that count none, the one with the highest `version`, which is counted
 * here by `generation`. So an update adds one file and changes none.
 */
export const loaderConf = 'default minke-*\ntimeout 0\neditor no\nconsole-mode keep\n';

export const entryName = (slot: 'A' | 'B'): string => `minke-${slot.toLowerCase()}.conf`;

/**
 * With a unified kernel the command line is in it, and the entry chooses one. The tree's parameters stand in a remark then: by them the initrd of one slot reads the other to its end,
 * before it has the loader take that one (recipes/initrd, lib/fallback.sh).
 */
export function loaderEntry(options: { slot: 'A' | 'B'; title: string; version: string; generation: number; commandLine: readonly string[]; verity?: Verity; unified?: boolean }): string {
  const { slot, title, version, generation, commandLine, verity, unified = false } = options;
  const tree = verity === undefined ? [] : [`${verityParameter}=${formatVerity(verity)}`];
  const lines = {
    title: `${title} ${version} (${slot})`,
    'sort-key': 'minke',
    version: String(generation),
    linux: `/${slot}/kernel`,
    ...(unified ? { options: profileOption({ slot, trial: false }) } : { initrd: `/${slot}/initrd`, options: [...commandLine, `minke.slot=${slot}`, ...tree].join(' ') }),
  };
  return Object.entries(lines)
    .map(([key, value]) => `${key.padEnd(8)} ${value}\n`)
    .concat(unified ? tree.map((word) => `# ${word}\n`) : [])
    .join('');
}
