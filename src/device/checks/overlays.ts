import type { Board } from '../board.ts';
import { packOverlay } from '../overlay.ts';
import { ensure, type BootCheck } from './check.ts';

const [good, broken, absent] = ['boot-test', 'boot-test-broken', 'boot-test-absent'] as const;
const note = '/proc/device-tree/boot-test/note';

interface Status {
  overlayTrial: boolean;
  overlays: { name: string; applied: boolean; reason?: string }[];
}
const status = async (board: Board): Promise<Status> => JSON.parse(await board.need('minke os status --format json')) as Status;

/** Before a restart: an overlay that works, one that was damaged, and one that nobody put there. */
export const nameOverlays: BootCheck = {
  name: 'device tree: overlays are named in config.json',
  run: async (board) => {
    const overlay = packOverlay('/', { nodes: { 'boot-test': { properties: { note: board.serviceAnswer } } } });
    const put = async (name: string, content: Uint8Array): Promise<void> => void (await board.need(`cat >/mnt/boot/overlays/${name}.dtbo`, { stdin: content }));
    await board.need('mount -o remount,rw /mnt/boot && mkdir -p /mnt/boot/overlays');
    await put(good, overlay);
    await put(broken, overlay.subarray(0, overlay.length - 20));
    await board.need('mount -o remount,ro /mnt/boot');
    await board.need(`minke os config set os.deviceTree.overlays '${JSON.stringify([broken, good, absent])}'`, { timeoutMs: 120_000 * board.scale });
    const { overlays } = await status(board);
    ensure(overlays.length === 3 && overlays.every(({ applied, reason }) => !applied && reason !== undefined), JSON.stringify(overlays));
    return overlays[0]?.reason ?? '';
  },
};

/** Afterwards: the one that works is in the tree where the board's loader applies overlays at all, the others are told of, and the start was kept. */
export const overlayChecks = (stage: string): BootCheck[] => [
  {
    name: `${stage}: overlays are in the device tree, or it is said why not`,
    run: async (board) => {
      const { overlays } = await status(board);
      const of = (name: string): Status['overlays'][number] | undefined => overlays.find((overlay) => overlay.name === name);
      const found = (await board.sh(`tr -d '\\000' <${note}`)).stdout;
      for (const name of [broken, absent]) ensure(of(name)?.applied === false && of(name)?.reason !== undefined, JSON.stringify(overlays));
      ensure(of(good)?.applied === (found === board.serviceAnswer), `${note} holds ${JSON.stringify(found)}, and the status says ${JSON.stringify(of(good))}`);
      // Builds of U-Boot for QEMU's own boards apply none; those for real boards of the lanes do.
      const { boot, qemu } = board.lane.machine;
      if (boot.method === 'u-boot' && boot.firmware !== undefined && qemu?.boot === 'u-boot') ensure(of(good)?.applied === true, JSON.stringify(overlays));
      return overlays.map(({ name, applied, reason }) => `${name}: ${applied ? 'applied' : reason}`).join('; ');
    },
  },
  {
    name: `${stage}: a start with new overlays is on trial no more`,
    run: (board) =>
      board.eventually(240, async () => {
        const now = await status(board);
        ensure(!now.overlayTrial, JSON.stringify(now));
        // Where QEMU starts the kernel itself no loader tries anything.
        const tries = board.lane.machine.qemu?.boot === 'kernel' ? '1' : 'kept';
        await board.need(`! test -e /mnt/boot/minke/overlays.env || grep -qx overlay_tries=${tries} /mnt/boot/minke/overlays.env`);
      }),
  },
];
