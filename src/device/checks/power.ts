import { setTimeout as sleep } from 'node:timers/promises';
import { basename, dirname } from 'node:path';

import type { Board } from '../board.ts';
import { ensure, type BootCheck } from './check.ts';

const folders = ['/etc/minke/boot-test', '/mnt/data/boot-test'];

/**
 * Writes records without pause: written aside, synced, then renamed, so that a record that is there must be whole. Its
 * first line is the checksum of the rest.
 */
const writer = `
cd "$1" || exit 1
count=0
while :; do
  count=$((count + 1))
  body=$(head -c 49152 /dev/urandom | base64 -w 0)
  { printf '%s' "$body" | cksum; printf '%s' "$body"; } >new
  sync new
  mv new record.$((count % 16))
  echo $count >count.new && mv count.new count
done`;

const verify = `
found=0
for record in "$1"/record.*; do
  [ -e "$record" ] || { echo "no records in $1"; exit 1; }
  [ "$(head -n 1 "$record")" = "$(tail -n +2 "$record" | cksum)" ] || { echo "$record is torn"; exit 1; }
  found=$((found + 1))
done
[ $found -ge 4 ] || { echo "only $found records"; exit 1; }
echo "$found records"`;

/** Has writers work on state, data and in a container, and takes the power away in the middle of it. */
async function cutPowerWhileWriting(board: Board): Promise<string> {
  // Nobody writes the script once a writer has started: a shell reads it some time after systemd-run has returned.
  await board.need('cat >/run/boot-test-writer.sh', { stdin: Buffer.from(writer) });
  for (const [index, folder] of folders.entries()) {
    await board.need(`mkdir -p ${folder} && rm -f ${folder}/* && sync && systemd-run --quiet --unit=boot-test-writer-${index} sh /run/boot-test-writer.sh ${folder}`);
  }
  const inside = 'while :; do date >/tmp/now; sync; mv /tmp/now /tmp/then; done';
  await board.need(`minke run -d --name writer ${board.container.reference} sh -c '${inside}'`, { timeoutMs: 120_000 * board.scale }).catch(() => undefined); // the engine's own checks tell when it cannot
  await board.eventually(120, async () => {
    for (const folder of folders) {
      const count = Number(await board.need(`cat ${folder}/count`));
      ensure(count >= 20, `only ${count} records in ${folder}`);
    }
  });
  // At another moment each time, so that many runs see many moments.
  const delayMs = Math.round(Math.random() * 3000);
  await sleep(delayMs);
  await board.emulator().cutPower();
  return `the power went ${delayMs} ms after the twentieth record`;
}

export const powerCut: BootCheck = { name: 'power cut: it comes while state, data and a container are written to', run: cutPowerWhileWriting };

export const afterPowerCut: readonly BootCheck[] = [
  {
    name: 'after a power cut: every record that was finished is whole',
    run: async (board) => {
      const texts = [];
      for (const folder of folders) texts.push((await board.need(`sh -s ${folder}`, { stdin: Buffer.from(verify), timeoutMs: 60_000 * board.scale })).trim());
      return texts.join(', ');
    },
  },
  {
    name: 'after a power cut: the filesystems were checked and are without errors',
    run: async (board) => {
      const script = `
for file in /sys/fs/ext4/*/errors_count; do
  count=$(cat "$file") || exit 1
  [ "$count" = 0 ] || { echo "$file says $count"; exit 1; }
done
dmesg | grep -iE 'EXT4-fs error|I/O error|FAT-fs.*not properly unmounted|EXT4-fs.*mounting fs with errors' && exit 1
for at in /mnt/state /mnt/data; do
  findmnt -n -o OPTIONS $at | grep -qE '^rw(,|$)' || { echo "$at is not writable"; exit 1; }
  t=$at/.boot-test; echo ok >$t && sync $t && rm $t || exit 1
done`;
      await board.need(script);
    },
  },
];

/** Restarts the board; `beforehand` is the last that is done on it. */
export const restartsWhenTold = (stage: string, beforehand: (board: Board) => Promise<unknown> = async () => undefined): BootCheck => ({
  name: `${stage}: the board restarts when it is told to`,
  run: async (board) => {
    await beforehand(board);
    await goDown(board, 'systemctl reboot', board.lane.machine.qemu?.restart === 'halts' ? /Reboot failed -- System halted/ : null, 'the restart');
  },
});

/** `halt`: what the kernel says, when all is written and all devices are at rest, on a board that QEMU does not end of itself; then somebody pulls the plug. */
async function goDown(board: Board, command: string, halt: RegExp | null, what: string): Promise<void> {
  const emulator = board.emulator();
  const from = emulator.console.position();
  const timeoutMs = 180_000 * board.scale;
  await board.sh(command).catch(() => undefined); // the connection may go before the answer comes
  if (halt === null) return emulator.waitForEnd(timeoutMs, what);
  await emulator.console.expect(halt, { timeoutMs, what, from });
  return emulator.cutPower();
}

/** Shuts the board down; the filesystems on the disk must then be clean, seen from outside. */
export const powerOffChecks: readonly BootCheck[] = [
  {
    name: 'power-off: the board shuts down and the power goes off',
    run: (board) => goDown(board, 'systemctl poweroff', board.lane.machine.qemu?.powerOff === 'halts' ? /reboot: (?:Power off not available: )?System halted/ : null, 'the shutdown'),
  },
  {
    name: 'power-off: the filesystems on the disk are clean',
    run: async (board) => {
      ensure(!board.emulator().isRunning(), 'the board still runs');
      const { path, partitions } = board.lane.disk;
      for (const name of ['state', 'data'] as const) {
        const image = `/disk/${basename(path)}?offset=${partitions[name].startBytes}`;
        await board.tree.run({ argv: ['e2fsck', '-f', '-n', image], mounts: { '/disk': { path: dirname(path), rw: false } }, name: 'e2fsck' });
      }
    },
  },
];
