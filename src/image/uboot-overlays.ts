/**
 * Overlays of the device tree in boot.scr. minke/overlays.env, which the device writes (src/engine/os/overlays.ts), names files of the folder overlays/:
 * `overlays` without their `.dtbo`, `overlay_tries` what is known of them: 1 they are new, 0 a start with them was tried, kept: one of those worked.
 * New ones are applied once, which is written down before, in a start that has to prove itself as one of a new release does (`minke.trial`).
 *
 * Nothing of that file is run: it is read up to 4 KiB, three variables are taken from it, and names stand in the names of files alone, where U-Boot's
 * shell takes `;`, `&` and `|` as they are. Each overlay is applied to a copy, so that one which does not fit leaves the tree before it as it was.
 * minke.overlays= and minke.overlays-refused= of the command line tell what became of each.
 */

/** Largest file of an overlay. Eight of them (`maxItems` of the schema) and a tree fit below the initrd on every machine. */
const overlayBytes = (32 * 1024).toString(16);
const namesBytes = (4 * 1024).toString(16);
const file = 'minke/overlays.env';
const variables = 'overlay_before overlay_tries overlays';

/** Sets overlays_now to what this start applies; after the slot was chosen, so that never two new things are tried in one start. */
export const chooseOverlays = (from: string): string[] => [
  ...variables.split(' ').map((name) => `setenv ${name}`),
  'setenv overlays_now',
  `if load ${from} \${ramdisk_addr_r} ${file} ${namesBytes}; then env import -t \${ramdisk_addr_r} \${filesize} ${variables}; fi`,
  'if test "${overlay_tries}" = kept; then setenv overlays_now "${overlays}"; fi',
  'if test "${overlay_tries}${trial}" = 1; then',
  '  setenv overlay_tries 0',
  `  env export -t \${ramdisk_addr_r} ${variables}`,
  `  if fatwrite ${from} \${ramdisk_addr_r} ${file} \${filesize}; then setenv overlays_now "\${overlays}"; setenv trial minke.trial; else echo "Minke OS: overlays are not tried, for that could not be written down"; fi`,
  'fi',
];

/** For a start that takes the other slot because the first one could not be started: the bare tree. */
export const forgetOverlays = 'setenv overlays_now';

/** Part of minke_start, once `tree` is known: it is the changed one afterwards. */
export const applyOverlays = 'if test -n "${overlays_now}"; then run minke_overlays; setenv bootargs "${bootargs} minke.overlays=${overlays_in} minke.overlays-refused=${overlays_out}"; fi';

/** Defines minke_overlays. The kernel's and the initrd's places in memory are free at that time. */
export function defineOverlays(from: string): string {
  const conditions = [
    `load ${from} \${kernel_addr_r} overlays/\${overlay}.dtbo ${overlayBytes}`,
    'setenv overlay_size ${filesize}',
    'fdt addr ${kernel_addr_r}',
    // A file that was cut off, or is larger than what was read of it.
    'fdt header get overlay_total totalsize',
    'test 0x${overlay_total} -le 0x${overlay_size}',
    'fdt move ${tree} ${ramdisk_addr_r}',
    `fdt resize ${overlayBytes}`,
    'fdt apply ${kernel_addr_r}',
    'fdt move ${ramdisk_addr_r} ${fdt_addr_r}',
  ];
  const each =
    `if ${conditions.join(' && ')}; then setenv tree \${fdt_addr_r}; setenv overlays_in "\${overlays_in}:\${overlay}"; ` +
    'else setenv overlays_out "${overlays_out}:${overlay}"; echo "Minke OS: overlay ${overlay} cannot be applied"; fi';
  return `setenv minke_overlays 'setenv overlays_in; setenv overlays_out; for overlay in \${overlays_now}; do ${each}; done'`;
}
