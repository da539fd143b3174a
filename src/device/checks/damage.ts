import { ensure, type BootCheck } from './check.ts';
import { archive, fetchRelease, status, updateMs, type Slot } from './update.ts';

/** Of the slot that runs: its partition, and a block that nothing needs to get by. */
const place = `
part=/dev/$(cat /run/minke/root-$(cat /run/minke/slot))
block=$(($(sed 's/.*minke\\.verity=[0-9a-f]*:[0-9a-f]*:\\([0-9]*\\):.*/\\1/' /proc/cmdline) * 3 / 4))
read_block() { echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/mapper/minke-root of=/dev/null bs=4096 skip=$block count=1; }
put_block() { dd of=$part bs=4096 seek=$block conv=notrunc,fsync 2>/dev/null; }
`;

const flip = `${place}
set -e
dd if=$part of=/tmp/block bs=4096 skip=$block count=1 2>/dev/null
read_block
byte=$(od -An -tu1 -N 1 /tmp/block | tr -d ' ')
{ printf "\\\\$(printf %03o $((byte ^ 1)))"; tail -c +2 /tmp/block; } | put_block
! read_block
dmesg | grep "device-mapper: verity: .*block $block is corrupted"`;

/** A bit of the slot that runs changes on the disk, and is put right again by hand: whoever reads it meanwhile gets an error, and the board knows. */
export const flippedBit = (stage: string, slot: Slot): readonly BootCheck[] => [
  { name: `${stage}: a block with one other bit cannot be read`, run: async (board) => (await board.need(flip)).trim().split('\n').at(-1) ?? '' },
  {
    name: `${stage}: the board says that its slot is damaged`,
    run: async (board) => {
      await board.eventually(60, async () => ensure((await status(board)).damagedSlot === slot, JSON.stringify(await status(board))));
      const line = /^DAMAGED: .*$/m.exec(await board.need('minke os status'))?.[0];
      ensure(line?.includes(`slot ${slot}`) === true, 'minke os status does not say so');
      await board.need(`${place} put_block </tmp/block && read_block`);
      return line ?? '';
    },
  },
];

/** The same release once more, which is written nowhere as long as nothing is damaged. */
export const repair = (stage: string, slot: Slot): BootCheck => ({
  name: `${stage}: an update to the release that runs writes slot ${slot}, which is tried next`,
  run: async (board) => {
    await fetchRelease(board);
    const text = await board.need(`minke os update ${archive}`, { timeoutMs: updateMs(board) });
    const now = await status(board);
    ensure(now.next === slot && now.slot !== slot && now.update?.phase === 'armed' && now.update.to === slot, `${text}${JSON.stringify(now)}`);
    return text.trim().split('\n').at(-1) ?? '';
  },
});

export const undamaged = (stage: string): BootCheck => ({
  name: `${stage}: no slot is damaged, and the root is read through dm-verity`,
  run: async (board) => {
    const now = await status(board);
    ensure(now.damagedSlot === null && now.root === 'verity', JSON.stringify(now));
  },
});

export const leftSlot = (stage: string, slot: Slot): BootCheck => ({
  name: `${stage}: slot ${slot} was left, and is not gone back to`,
  run: async (board) => {
    const now = await status(board);
    ensure(now.damagedSlot === slot && now.root === 'verity', JSON.stringify(now));
    const { status: code, stderr } = await board.sh('minke os rollback');
    ensure(code === 1 && /damaged|holds no release/.test(stderr), `exit status ${code}: ${stderr}`);
    return stderr.trim();
  },
});

/** The superblock of the slot that runs and was kept; nothing of the root is read any more, so that the restart comes at once. */
export const destroyRoot = (stage: string): BootCheck => ({
  name: `${stage}: the root's superblock is destroyed, and the board restarts`,
  run: async (board) => {
    await board.sh('dd if=/dev/zero of=/dev/$(cat /run/minke/root-$(cat /run/minke/slot)) bs=512 seek=2 count=1 conv=notrunc,fsync; sync; echo b >/proc/sysrq-trigger', { timeoutMs: 30_000 }).catch(() => undefined);
    await board.emulator().waitForEnd(120_000 * board.scale, 'the restart');
  },
});
