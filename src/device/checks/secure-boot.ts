import { ensure, type BootCheck } from './check.ts';
import { refuses, status, type Slot } from './update.ts';

const variable = (name: string): string => `od -An -tu1 -j 4 /sys/firmware/efi/efivars/${name}-8be4df61-93ca-11d2-aa0d-00e098032b8c`;
/** What somebody with the boot partition in hand would like: a shell instead of the first program. */
const wish = 'init=/bin/sh';
const loaderEntry = (slot: Slot): string => `/mnt/boot/loader/entries/minke-${slot.toLowerCase()}.conf`;

const onBootPartition = (script: string): string => `set -e\nmount -o remount,rw /mnt/boot\n${script}\nsync\nmount -o remount,ro /mnt/boot`;

export const enforced = (stage: string): BootCheck => ({
  name: `${stage}: the firmware starts signed programs alone, the kernel is locked down, and the root is read through dm-verity`,
  run: async (board) => {
    const [secure, setup] = (await board.need(`${variable('SecureBoot')}; ${variable('SetupMode')}`)).trim().split('\n').map((line) => line.trim());
    ensure(secure === '1' && setup === '0', `SecureBoot ${secure}, SetupMode ${setup}`);
    const words = (await board.need('cat /proc/cmdline')).trim();
    ensure(words.split(' ').includes('minke.strict') && !words.includes(wish), words);
    const lockdown = (await board.need('cat /sys/kernel/security/lockdown')).trim();
    ensure(/\[(integrity|confidentiality)\]/.test(lockdown), lockdown);
    const { root } = await status(board);
    ensure(root === 'verity', root);
    return lockdown;
  },
});

export const firmwareRefusals: readonly BootCheck[] = [
  refuses('a release whose kernel is not signed', (release) => release, /Secure Boot/),
  refuses('a release whose kernel is signed by somebody else', (release) => ({ ...release, format: 2, unified: { certificate: '0'.repeat(64) } }), /not in the firmware's db/),
];

export const changeEntry = (slot: Slot): BootCheck => ({
  name: `the loader's entry of slot ${slot} is changed on the boot partition`,
  run: async (board) => void (await board.need(onBootPartition(`sed -i 's|^options .*|& ${wish}|' ${loaderEntry(slot)}\ngrep -q '${wish}' ${loaderEntry(slot)}`))),
});

/** It got as far as this, so a shell was not what the kernel began with. */
export const entryIgnored = (slot: Slot): BootCheck => ({
  name: `what was written into the entry of slot ${slot} does not reach the kernel`,
  run: async (board) => {
    await board.need(`grep -q '${wish}' ${loaderEntry(slot)}`);
    ensure(!(await board.need('cat /proc/cmdline')).includes(wish), 'it is on the command line');
  },
});

export const changeKernel = (slot: Slot): BootCheck => ({
  name: `a bit of the kernel in slot ${slot} is changed on the boot partition`,
  run: async (board) => {
    const file = `/mnt/boot/${slot}/kernel`;
    await board.need(onBootPartition(`at=$(($(stat -c %s ${file}) / 2))
byte=$(od -An -tu1 -j $at -N 1 ${file} | tr -d ' ')
printf "\\\\$(printf %03o $((byte ^ 1)))" | dd of=${file} bs=1 seek=$at conv=notrunc,fsync 2>/dev/null`));
  },
});

/** As systemd-boot passes on what the firmware answers (EFI_SECURITY_VIOLATION, EFI_ACCESS_DENIED). */
export const refusal = /.*(?:Security [Vv]iolation|Access [Dd]enied).*/;
