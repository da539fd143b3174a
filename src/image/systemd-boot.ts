import { formatVerity, verityParameter, type Verity } from '../engine/verity/index.ts';

/** Texts of systemd-boot's loader.conf and type 1 entries (the UAPI group's Boot Loader Specification). */

/**
 * systemd-boot takes the first entry: of those with tries left, or that count none, the one with the highest `version`, which is counted
 * here by `generation`. So an update adds one file and changes none.
 */
export const loaderConf = 'default minke-*\ntimeout 0\neditor no\nconsole-mode keep\n';

export const entryName = (slot: 'A' | 'B'): string => `minke-${slot.toLowerCase()}.conf`;

export function loaderEntry(options: { slot: 'A' | 'B'; title: string; version: string; generation: number; commandLine: readonly string[]; verity?: Verity }): string {
  const { slot, title, version, generation, commandLine, verity } = options;
  const lines = {
    title: `${title} ${version} (${slot})`,
    'sort-key': 'minke',
    version: String(generation),
    linux: `/${slot}/kernel`,
    initrd: `/${slot}/initrd`,
    options: [...commandLine, `minke.slot=${slot}`, ...(verity === undefined ? [] : [`${verityParameter}=${formatVerity(verity)}`])].join(' '),
  };
  return Object.entries(lines)
    .map(([key, value]) => `${key.padEnd(8)} ${value}\n`)
    .join('');
}
