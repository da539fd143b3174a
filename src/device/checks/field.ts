import { setTimeout as sleep } from 'node:timers/promises';

import { labelledImage } from '../container-image.ts';
import type { Board } from '../board.ts';
import { connectSsh } from '../ssh.ts';
import { ensure, type BootCheck } from './check.ts';
import { gatherFacts, leaveMarks, marks } from './persistence.ts';

const partitions = { data: '/mnt/data', state: '/mnt/state' };

/** Takes room in ever smaller pieces until not even a block is left, those of the administrator included. */
const fill = `
cd "$1" || exit 1
size=$((1 << 36)) count=0
while [ $size -ge 4096 ]; do
  if fallocate -l $size .boot-test-fill.$count 2>/dev/null; then count=$((count + 1)); else rm -f .boot-test-fill.$count; size=$((size / 2)); fi
done
sync
! head -c 65536 /dev/zero >.boot-test-more 2>/dev/null || { echo "$1 still takes 64 KiB"; exit 1; }
rm -f .boot-test-more`;

/** A connection of its own: the one that is there already proves nothing about the next. */
async function logIn(board: Board): Promise<void> {
  const session = await connectSsh(board.ssh, { privateKey: board.key.privateKey }, 90_000 * board.scale);
  const { stdout } = await session.exec('hostname');
  session.close();
  ensure(stdout.trim() === board.hostname, `the board says that it is called ${JSON.stringify(stdout)}`);
}

const fills = (name: keyof typeof partitions): BootCheck => ({
  name: `full disk: the ${name} partition is filled to its last block`,
  run: async (board) => void (await board.need(`sh -s ${partitions[name]}`, { stdin: Buffer.from(fill), timeoutMs: 120_000 * board.scale })),
});

/** Marks first: they would not fit any more. */
export const fullDisk: readonly BootCheck[] = [
  { name: 'full disk: marks are left to be found again', run: leaveMarks },
  fills('data'),
  {
    name: 'full disk: the engine refuses an image and says why, and its containers run on',
    run: async (board) => {
      const { status, stdout, stderr } = await board.sh('minke load', { stdin: labelledImage('localhost/no-room:1', board.arch, { large: 'x'.repeat(1 << 20) }), timeoutMs: 300_000 * board.scale });
      ensure(status !== 0 && /no space left/i.test(stderr), `exit status ${status}: ${stdout}${stderr}`);
      ensure(!(await board.need('minke images')).includes('no-room'), 'the image is listed');
      ensure((await board.need('minke ps --format "{{.Names}}"')).split('\n').includes('web'), 'the container is gone');
      return stderr.trim();
    },
  },
  fills('state'),
  {
    name: 'full disk: a change of config.json is made whole or not at all',
    run: async (board) => {
      const before = (await board.need('hostname')).trim();
      const { status, stderr } = await board.sh('minke os config set hostname boot-test-full', { timeoutMs: 120_000 * board.scale });
      await board.need('jq -e .os.sshKeys[0] /mnt/boot/config.json');
      if (status === 0) await board.eventually(30, async () => ensure((await board.need('hostname')).trim() === 'boot-test-full', 'the new name does not count'));
      else ensure(/no space left/i.test(stderr), `exit status ${status}: ${stderr}`);
      await board.sh(`minke os config set hostname ${before}`, { timeoutMs: 120_000 * board.scale });
      await board.eventually(30, async () => ensure((await board.need('hostname')).trim() === before, 'the name before does not count'));
      return status === 0 ? 'made' : stderr.trim();
    },
  },
  { name: 'full disk: SSH lets somebody in', run: logIn },
];

export const freeRoom: BootCheck = {
  name: 'full disk: room that is freed can be used at once',
  run: async (board) => {
    await board.need(`rm -f ${Object.values(partitions).map((at) => `${at}/.boot-test-fill.*`).join(' ')}; sync`);
    await board.need('minke load', { stdin: board.container.archive, timeoutMs: 300_000 * board.scale });
    await board.need(`minke run --rm ${board.container.reference} true`, { timeoutMs: 120_000 * board.scale });
  },
};

/** Device of a partition's file system, as the kernel calls it. */
const deviceOf = (at: string): string => `basename $(readlink -f $(findmnt -n -o SOURCE ${at} | sed 's/\\[.*//'))`;

/** The kernel finds both file systems in error, as on a disk that dies. */
export const diskErrors: readonly BootCheck[] = [
  {
    name: 'disk errors: state and data take no writes any more, and SSH lets somebody in',
    run: async (board) => {
      await leaveMarks(board);
      for (const at of Object.values(partitions)) {
        await board.need(`echo boot-test >/sys/fs/ext4/$(${deviceOf(at)})/trigger_fs_error`);
        await board.need(`! touch ${at}/.boot-test-more 2>/dev/null`);
      }
      await logIn(board);
    },
  },
  {
    name: 'disk errors: the engine answers, and its containers run on',
    run: async (board) => {
      ensure((await board.need('minke ps --format "{{.Names}}"', { timeoutMs: 120_000 * board.scale })).split('\n').includes('web'), 'the container is gone');
      const { status, stdout, stderr } = await board.sh('minke load', { stdin: labelledImage('localhost/read-only:1', board.arch, {}), timeoutMs: 300_000 * board.scale });
      ensure(status !== 0 && /read-only|input\/output error/i.test(stderr), `exit status ${status}: ${stdout}${stderr}`);
      return stderr.trim();
    },
  },
];

export const repaired = (stage: string): BootCheck => ({
  name: `${stage}: both file systems were repaired and take writes`,
  run: async (board) => {
    for (const at of Object.values(partitions)) {
      await board.need(`findmnt -n -o OPTIONS ${at} | grep -qE '^rw(,|$)'; touch ${at}/.boot-test-more && sync && rm ${at}/.boot-test-more`);
      await board.need(`[ "$(cat /sys/fs/ext4/$(${deviceOf(at)})/errors_count)" = 0 ]`);
    }
  },
});

export const askForReset: BootCheck = {
  name: 'reset: marker files are left on the boot partition',
  run: async (board) => {
    await leaveMarks(board);
    // As an editor of another system may call it.
    await board.need('mount -o remount,rw /mnt/boot && touch /mnt/boot/reset-data /mnt/boot/reset-state.txt; sync; mount -o remount,ro /mnt/boot');
  },
};

export const reset = (stage: string): readonly BootCheck[] => [
  {
    name: `${stage}: state and data are empty, and the markers are gone`,
    run: async (board) => {
      for (const path of marks) await board.need(`! [ -e ${path} ]`);
      await board.need('! ls /mnt/boot | grep -i reset');
      ensure((await board.need('minke images -q; minke ps -aq')).trim() === '', 'the engine still has images or containers');
    },
  },
  {
    name: `${stage}: the board is another one, with the configuration that it had`,
    run: async (board) => {
      const now = await gatherFacts(board);
      ensure(board.facts !== null && now.machineId !== board.facts.machineId && /^[0-9a-f]{32}$/.test(now.machineId), `the machine id is ${now.machineId}`);
      ensure(now.hostKeys !== board.facts.hostKeys, 'the host keys are the same');
      ensure((await board.need('hostname')).trim() === board.hostname, 'the name of config.json does not count');
      board.facts = now;
    },
  },
];

/** What feeds the hardware's watchdog stands still: only the board itself can help itself now. */
export const hang = (stage: string): BootCheck => ({
  name: `${stage}: systemd hangs, and the hardware's watchdog starts the board again`,
  run: async (board) => {
    await board.need('ls /dev/watchdog0 && [ "$(systemctl show -P RuntimeWatchdogUSec)" = 30s ]');
    await leaveMarks(board);
    await board.sh('echo 1 >/sys/fs/cgroup/init.scope/cgroup.freeze', { timeoutMs: 20_000 }).catch(() => undefined);
    await sleep(1000);
    ensure(board.emulator().isRunning(), 'the board ended at once: it did not hang');
    await board.emulator().waitForEnd(180_000 * board.scale, 'the restart by the watchdog');
  },
});
