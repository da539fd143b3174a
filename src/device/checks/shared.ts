import type { BootCheck } from './check.ts';
import { ensure } from './check.ts';
import { lease, makeFarSide, startPage, usesBoard } from './far.ts';

const [space, port, far] = ['boot-lan', 'boot-lan', 'boot-lan-far'] as const;

/** After `loadContainer`, and with a name server that knows the service's name. */
export const sharedChecks: readonly BootCheck[] = [
  {
    name: 'network: a client of a shared Ethernet port gets an address',
    run: async (board) => {
      await makeFarSide(board);
      // udev keeps NetworkManager away from pairs of virtual ports, which are mostly those of containers.
      await board.need(`ip netns add ${space} && ip link add ${port} type veth peer name ${far} && ip link set ${far} netns ${space} && ip -n ${space} link set ${far} up && ip link set ${port} up
udevadm settle; nmcli device set ${port} managed yes`, { timeoutMs: 120_000 * board.scale });
      return board.eventually(60, async () => {
        const { address, router, dns } = await lease(board, space, far);
        ensure(address.startsWith('198.51.100.') && router === '198.51.100.1' && dns === router, `${address}, router ${router}, names from ${dns}`);
        return address;
      });
    },
  },
  {
    name: 'network: through it the client gets names, pages from beyond the board and those of a container',
    run: async (board) => {
      await startPage(board);
      await usesBoard(board, space, '198.51.100.1');
    },
  },
  {
    name: 'network: rules of a shared connection come and go although NetworkManager does not wait for them',
    run: async (board) => {
      const slow = '#!/bin/sh\nsleep 3\nexec /run/boot-test/nft "$@"\n';
      const limit = { timeoutMs: 120_000 * board.scale };
      const rules = (there: boolean): Promise<string> => board.eventually(60, () => board.need(`${there ? '' : '! '}/run/boot-test/nft list table ip nm-shared-${port} >/dev/null 2>&1`));
      await board.need('cp /usr/sbin/nft /run/boot-test/nft && cat >/run/boot-test/slow-nft && chmod 755 /run/boot-test/slow-nft && mount --bind /run/boot-test/slow-nft /usr/sbin/nft', { stdin: Buffer.from(slow) });
      try {
        await board.need('nmcli --wait 120 connection down shared', limit);
        await rules(false);
        await board.need('nmcli --wait 120 connection up shared', limit);
        await rules(true);
      } finally {
        await board.need('umount /usr/sbin/nft');
      }
      await board.eventually(60, () => lease(board, space, far));
      await usesBoard(board, space, '198.51.100.1');
      await board.need('nmcli --wait 120 connection down shared', limit);
      await rules(false);
      await board.need(`ip netns del ${space}`);
    },
  },
];
