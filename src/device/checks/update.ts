import { dirname } from 'node:path';

import type { Board } from '../board.ts';
import { labelledImage } from '../container-image.ts';
import { hostAddress, releasePath } from '../host-services.ts';
import { makeStick } from '../stick.ts';
import { ensure, type BootCheck } from './check.ts';
import { leaveMarks } from './persistence.ts';

export type Slot = 'A' | 'B';

interface Status {
  machine: string;
  version: string;
  slot: Slot;
  root: 'verity' | 'plain';
  damagedSlot: Slot | null;
  trial: boolean;
  next: Slot;
  update: { phase: string; to: Slot; reason?: string } | null;
}

export const archive = '/mnt/data/update.os.tar';
export const status = async (board: Board): Promise<Status> => JSON.parse(await board.need('minke os status --format json')) as Status;
/** Loading, writing and reading back hundreds of megabytes. */
export const updateMs = (board: Board): number => 900_000 * board.scale;

export const inSlot = (stage: string, slot: Slot): BootCheck => ({
  name: `${stage}: slot ${slot} runs and is started again`,
  run: async (board) => {
    const now = await status(board);
    ensure(now.slot === slot && now.next === slot && !now.trial, JSON.stringify(now));
  },
});

/** Has a small image with a release's description say what it likes; the board must refuse it before it writes anything. */
export function refuses(what: string, change: (release: Record<string, unknown>) => Record<string, unknown>, complaint: RegExp): BootCheck {
  return {
    name: `update: ${what} is refused`,
    run: async (board) => {
      const before = await status(board);
      const release = {
        format: 1, machine: before.machine, os: { name: 'Minke OS', id: 'minke', version: before.version }, mode: 'development', commandLine: ['quiet'], loader: 'u-boot',
        slot: { argv: ['true'], sha256: '0'.repeat(64), sizeBytes: 1 }, layers: { root: '0'.repeat(64), boot: '0'.repeat(64) },
      };
      const image = labelledImage('localhost/refused:1', board.arch, { 'io.minke.os.release': JSON.stringify(change(release)) });
      await board.need('cat >/mnt/data/refused.tar', { stdin: image });
      const { status: code, stdout, stderr } = await board.sh('minke os update /mnt/data/refused.tar; code=$?; rm /mnt/data/refused.tar; exit $code', { timeoutMs: 120_000 * board.scale });
      ensure(code === 1 && complaint.test(stderr), `exit status ${code}: ${stdout}${stderr}`);
      ensure(JSON.stringify(await status(board)) === JSON.stringify(before), 'the status is another one afterwards');
      return stderr.trim();
    },
  };
}

export const refusals: readonly BootCheck[] = [
  refuses('a release for another machine', (release) => ({ ...release, machine: 'toaster' }), /is for toaster/),
  refuses('an older release', (release) => ({ ...release, os: { name: 'Minke OS', id: 'minke', version: '0.0.0~1' } }), /older/),
  refuses('a description of a later format', (release) => ({ ...release, format: 3 }), /format 3/),
];

/** Gets the release from the host, by way of a container: the image itself has no program for it. */
export async function fetchRelease(board: Board): Promise<void> {
  await board.need(`minke image inspect ${board.container.reference} >/dev/null 2>&1 || minke load`, { stdin: board.container.archive, timeoutMs: 300_000 * board.scale });
  const wget = `minke run --rm --network host -v /mnt/data:/data ${board.container.reference} wget -q -O /data/update.os.tar http://${hostAddress}:${board.services.httpPort}${releasePath}`;
  await board.need(`[ -e ${archive} ] || ${wget}`, { timeoutMs: updateMs(board) });
}

export const updateInto = (stage: string, slot: Slot): BootCheck => ({
  name: `${stage}: a release from a file is written into slot ${slot}, which is tried next`,
  run: async (board) => {
    await fetchRelease(board);
    const started = Date.now();
    const text = await board.need(`minke os update --again ${archive}`, { timeoutMs: updateMs(board) });
    const now = await status(board);
    ensure(now.next === slot && now.slot !== slot && now.update?.phase === 'armed' && now.update.to === slot, JSON.stringify(now));
    const memory = (await board.need("sed -n 's/^VmHWM:[^0-9]*//p' /proc/$(systemctl show -P MainPID minke.service)/status")).trim();
    return `${text.trim().split('\n').at(-1) ?? ''} after ${Math.round((Date.now() - started) / 1000)} s; the engine took ${memory} at most`;
  },
});

/** Signed by a key that the image does not have: so the board refuses it, until it is lent that key. */
export const updateFromStick = (stage: string, slot: Slot): BootCheck => ({
  name: `${stage}: a stick is refused by a board without its key; with it, its release is written into slot ${slot}, and the board restarts by itself`,
  run: async (board) => {
    if (board.release === null) throw new Error('the suite was given no release');
    const stick = await makeStick({ release: board.release, machineName: board.machineName, folder: dirname(board.lane.disk.path), socket: board.lane.controlSocket, tree: board.tree, signal: board.signal });
    await board.need('minke os config set os.updates.usb true', { timeoutMs: 120_000 * board.scale });
    const said = (): Promise<string> => board.need("journalctl --no-pager -o cat -u 'minke-os-stick@*'");
    await stick.plugIn();
    const refusal = await board.eventually(120, async () => /^.*(takes releases from sticks only when they are signed).*$/m.exec(await said())?.[0] ?? raise(await said()));
    ensure((await status(board)).next !== slot, 'the release is started next all the same');
    await stick.pullOut();
    await board.need('mkdir -p /run/boot-test/os/keys && cat >/run/boot-test/os/keys/key.pem && mount -t overlay -o lowerdir=/run/boot-test:/usr/lib/minke overlay /usr/lib/minke', { stdin: Buffer.from(stick.publicKey) });
    await leaveMarks(board);
    await stick.plugIn();
    await board.emulator().waitForEnd(updateMs(board), `the update to ${stick.version} from a stick`);
    return refusal;
  },
});

function raise(message: string): never {
  throw new Error(message);
}

export const keptIn = (stage: string, slot: Slot): BootCheck => ({
  name: `${stage}: slot ${slot} runs, proves healthy and is kept`,
  run: (board) =>
    board.eventually(600, async () => {
      const now = await status(board);
      ensure(now.slot === slot && now.next === slot && !now.trial && now.update?.phase === 'kept', JSON.stringify(now));
    }),
});

export const rolledBack = (stage: string, slot: Slot, reason: RegExp): BootCheck => ({
  name: `${stage}: slot ${slot} runs again, and it is known why`,
  run: (board) =>
    board.eventually(300, async () => {
      const now = await status(board);
      ensure(now.slot === slot && now.next === slot && !now.trial && now.update?.phase === 'rolled-back' && reason.test(now.update.reason ?? ''), JSON.stringify(now));
      return now.update.reason ?? '';
    }),
});

/** Adds a kernel parameter to a slot, wherever the boot loader keeps those. */
async function addParameter(board: Board, slot: Slot, parameter: string): Promise<void> {
  const script = `
set -e
mount -o remount,rw /mnt/boot
entry=/mnt/boot/loader/entries/minke-${slot.toLowerCase()}+1.conf
if [ -e $entry ]; then sed 's|^options .*|& ${parameter}|' $entry >/tmp/entry; cat /tmp/entry >$entry
else sed 's|^os_cmdline=.*|& ${parameter}|' /mnt/boot/${slot}/boot.env >/tmp/entry; cat /tmp/entry >/mnt/boot/${slot}/boot.env; fi
sync
mount -o remount,ro /mnt/boot
grep -q '${parameter}' /tmp/entry`;
  await board.need(script);
}

export const breakKernel = (slot: Slot): BootCheck => ({
  name: `the release in slot ${slot} is made to panic`,
  run: (board) => addParameter(board, slot, 'rdinit=/missing'),
});

export const breakRoot = (slot: Slot): BootCheck => ({
  name: `the root in slot ${slot} is damaged after it was read back`,
  run: async (board) => void (await board.need(`dd if=/dev/zero of=/dev/$(cat /run/minke/root-${slot}) bs=64k count=1 conv=fsync`)),
});

/** The trial gives up soon. */
const withoutUnit = (what: string, unit: string) => (slot: Slot): BootCheck => ({
  name: `the release in slot ${slot} is kept from starting its ${what}`,
  run: async (board) => {
    await addParameter(board, slot, `systemd.mask=${unit}`);
    await addParameter(board, slot, 'systemd.setenv=MINKE_OS_PATIENCE=1');
  },
});

export const breakNetwork = withoutUnit('network', 'NetworkManager.service');
export const breakEngine = withoutUnit('engine', 'minke.service');
