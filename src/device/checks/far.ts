import type { Board } from '../board.ts';
import { hostAddress } from '../host-services.ts';
import { ensure } from './check.ts';

// The other ends of a board's networks are network namespaces on the board itself, with programs of the image and the busybox of the test's container.
const folder = '/run/boot-test';

/** The test's busybox, on the board. */
export const busybox = `${folder}/busybox`;

/** What udhcpc calls: takes the address, and says what it was offered. */
const leaseScript = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip address replace "$ip/$mask" dev "$interface"
ip route replace default via "$router"
echo "address=$ip router=$router dns=$dns"`;

/** Puts the programs there. */
export async function makeFarSide(board: Board): Promise<void> {
  await loadContainer(board);
  const script = `
set -e
mkdir -p ${folder}
minke create --name far-side ${board.container.reference} true
minke cp far-side:/bin/busybox ${busybox}
minke rm far-side
cat >${folder}/lease && chmod 755 ${folder}/lease ${busybox}`;
  await board.need(script, { stdin: Buffer.from(leaseScript), timeoutMs: 120_000 * board.scale });
}

export async function loadContainer(board: Board): Promise<void> {
  await board.need(`minke image inspect ${board.container.reference} >/dev/null 2>&1 || minke load`, { stdin: board.container.archive, timeoutMs: 300_000 * board.scale });
}

/** A command in a namespace. */
export const inside = (space: string, command: string): string => `ip netns exec ${space} ${command}`;

/** Asks for an address on a device of a namespace. */
export async function lease(board: Board, space: string, device: string): Promise<{ address: string; router: string; dns: string }> {
  const text = await board.need(inside(space, `${busybox} udhcpc -n -q -f -t 10 -T 2 -i ${device} -s ${folder}/lease 2>&1`), { timeoutMs: 60_000 * board.scale });
  const [, address, router, dns] = /^address=(\S+) router=(\S+) dns=(\S+)$/m.exec(text) ?? [];
  ensure(address !== undefined && router !== undefined && dns !== undefined, `no lease: ${text}`);
  return { address, router, dns };
}

/** What a client of a shared connection gets through the board: names, pages from beyond it and of a container. */
export async function usesBoard(board: Board, space: string, router: string): Promise<void> {
  const page = (address: string): Promise<string> => board.need(inside(space, `${busybox} wget -q -T 20 -O - http://${address}/`));
  await board.eventually(60, async () => {
    const names = await board.need(inside(space, `${busybox} nslookup ${board.serviceName} ${router}`));
    ensure(names.includes(hostAddress), names);
    const beyond = await page(`${hostAddress}:${board.services.httpPort}`);
    ensure(beyond.includes(board.serviceAnswer), `from beyond the board: ${beyond}`);
  });
  const own = await page(`${router}:${farPage.port}`);
  ensure(own.includes(farPage.text), `of the container: ${own}`);
}

const farPage = { port: 8081, text: 'for-the-far-side' };

/** A container whose page clients of shared connections read. */
export async function startPage(board: Board): Promise<void> {
  await board.need(`minke run -d --name far-page -p ${farPage.port}:8080 ${board.container.reference} sh -c 'echo ${farPage.text} >/tmp/index.html; exec httpd -f -p 8080 -h /tmp'`, { timeoutMs: 120_000 * board.scale });
}
