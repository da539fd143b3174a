/** Texts of systemd-boot's loader.conf and type 1 entries (the UAPI group's Boot Loader Specification). */

/** The chosen slot is `default` here; an update writes this file anew, in one piece. */
export function loaderConf(slot: 'A' | 'B'): string {
  return `default ${entryName(slot)}\ntimeout 0\neditor no\nconsole-mode keep\n`;
}

export const entryName = (slot: 'A' | 'B'): string => `minke-${slot.toLowerCase()}.conf`;

export function loaderEntry(options: { slot: 'A' | 'B'; title: string; version: string; commandLine: readonly string[] }): string {
  const { slot, title, version, commandLine } = options;
  const lines = {
    title: `${title} (${slot})`,
    version,
    linux: `/${slot}/kernel`,
    initrd: `/${slot}/initrd`,
    options: [...commandLine, `minke.slot=${slot}`].join(' '),
  };
  return Object.entries(lines)
    .map(([key, value]) => `${key.padEnd(8)} ${value}\n`)
    .join('');
}
