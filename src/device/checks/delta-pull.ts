import type { Board } from '../board.ts';
import { hostAddress } from '../host-services.ts';
import type { Registry } from '../registry.ts';
import { ensure, type BootCheck } from './check.ts';
import { servePage } from './engine.ts';

/** A poor mobile link: 256 kbit/s. */
const slowBytesPerSecond = 32_000;

const registry = (board: Board): Registry => {
  if (!board.registry) throw new Error('this suite has no registry');
  return board.registry;
};
const name = (board: Board): string => `${hostAddress}:${registry(board).link.port}/app`;

/** Hash of what a container of the release sees of the application: the list of all files' hashes and modes. */
const contents = (board: Board, tag: number): Promise<string> =>
  board.need(`minke run --rm ${name(board)}:${tag} sh -c 'busybox find /opt -type f -exec busybox sha256sum {} + | busybox sort | busybox sha256sum; busybox find /opt | busybox sort | busybox xargs busybox stat -c "%n %a %s" | busybox sha256sum'`, { timeoutMs: 300_000 * board.scale });

const imageId = async (board: Board, tag: number): Promise<string> => (await board.need(`minke image inspect --format '{{.Id}}' ${name(board)}:${tag}`)).trim();

/** What the releases were when they were made. */
interface Made {
  id: string;
  contents: string;
  wholeBytes: number;
  deltaBytes: number;
}
const made = new WeakMap<Board, Made>();
const known = (board: Board): Made => {
  const found = made.get(board);
  if (!found) throw new Error('the releases were not made');
  return found;
};

/**
 * Two releases of an application out of the board's own programs. The second has one program more and a line in each
 * of some texts: the program alone keeps a slow link busy for a minute.
 */
const release = `
set -e
cd /mnt/data
rm -rf app-build && mkdir -p app-build/opt
cp -a /usr/lib/systemd /usr/sbin app-build/opt/
printf 'FROM %s\\nCOPY opt /opt\\n' "$IMAGE" >app-build/Dockerfile
minke build -q -t "$NAME:1" app-build
cp /usr/bin/minke app-build/opt/added
for text in $(find app-build/opt -type f -name '*.service' | sort | head -n 20); do echo '# of the second release' >>"$text"; done
minke build -q -t "$NAME:2" app-build
rm -rf app-build
minke image delta -t "$NAME" "$NAME:1" "$NAME:2"`;

export const makeReleases: BootCheck = {
  name: 'two releases of an application and the delta between them are pushed to a registry',
  run: async (board) => {
    const { link } = registry(board);
    await board.need(`echo '{ "insecure-registries": ["${hostAddress}:${link.port}"] }' >/etc/minke/daemon.json && systemctl restart minke.service`, { timeoutMs: 120_000 * board.scale });
    await board.need('minke load', { stdin: board.container.archive, timeoutMs: 300_000 * board.scale });
    const environment = `NAME=${name(board)}\nIMAGE=${board.container.reference}\n`;
    const delta = (await board.need(`${environment}${release}`, { timeoutMs: 1_200_000 * board.scale })).trim().split('\n').at(-1) ?? '';
    const facts = { id: await imageId(board, 2), contents: await contents(board, 2) };
    const tags = (await board.need(`minke images --format '{{.Repository}}:{{.Tag}}' | grep '^${name(board)}:'`)).trim().split('\n');
    const deltaTag = tags.find((tag) => !/:[12]$/.test(tag));
    ensure(deltaTag !== undefined, `the delta has no name among ${tags.join(', ')}: ${delta}`);
    const push = async (tag: string): Promise<void> => void (await board.need(`minke push ${tag}`, { timeoutMs: 600_000 * board.scale }));
    for (const tag of [`${name(board)}:1`, `${name(board)}:2`, deltaTag]) await push(tag);
    await board.need(`minke rmi ${deltaTag} ${name(board)}:2`, { timeoutMs: 120_000 * board.scale });
    const [wholeBytes, deltaBytes] = [await layerBytes(board, '2'), await layerBytes(board, deltaTag.slice(deltaTag.lastIndexOf(':') + 1))];
    made.set(board, { ...facts, wholeBytes, deltaBytes });
    return `a delta of ${deltaBytes} bytes instead of ${wholeBytes}`;
  },
};

/** Bytes of the layers that a registry has under a tag. */
async function layerBytes(board: Board, tag: string): Promise<number> {
  const accept = 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';
  const response = await fetch(`http://127.0.0.1:${registry(board).link.port}/v2/app/manifests/${tag}`, { headers: { accept }, signal: AbortSignal.timeout(60_000) });
  const manifest = (await response.json()) as { layers?: { size: number }[] };
  ensure(manifest.layers !== undefined, `the registry answers ${response.status} for ${tag}`);
  return manifest.layers.reduce((sum, { size }) => sum + size, 0);
}

export const runFirstRelease: BootCheck = {
  name: 'the first release runs',
  run: async (board) => void (await board.need(`minke run -d --name web --restart always -p ${board.published.guest}:80 ${name(board)}:1 sh -c "${servePage}"`, { timeoutMs: 120_000 * board.scale })),
};

/** @param share part of the delta that has come in when the power goes */
export const cutDuringPull = (stage: string, share: number): BootCheck => ({
  name: `${stage}: the second release is pulled at 256 kbit/s, and the power goes after ${Math.round(share * 100)} % of it`,
  run: async (board) => {
    const { link } = registry(board);
    link.setRate(slowBytesPerSecond);
    const before = link.passedBytes();
    await board.need(`systemd-run --quiet --unit=pull-app minke pull ${name(board)}:2`);
    const wanted = share * known(board).deltaBytes;
    await board.eventually(300, async () => {
      const passed = link.passedBytes() - before;
      if (passed >= wanted) return;
      const active = (await board.sh('systemctl is-active pull-app.service')).stdout.trim();
      throw new Error(`the pull is ${active} after ${passed} of ${Math.round(wanted)} bytes`);
    });
    const passed = link.passedBytes() - before;
    await board.emulator().cutPower();
    return `the power went after ${passed} bytes`;
  },
});

export const storeIsWhole = (stage: string): BootCheck => ({
  name: `${stage}: the store is whole, and the first release is all that is there`,
  run: async (board) => {
    const text = await board.eventually(120, () => board.need('minke system check', { timeoutMs: 300_000 * board.scale }));
    const tags = (await board.need(`minke images --format '{{.Repository}}:{{.Tag}}' | grep '^${name(board)}:'`)).trim();
    ensure(tags === `${name(board)}:1`, `there are ${tags.replaceAll('\n', ', ')}`);
    return text.trim().split('\n').at(-1);
  },
});

export const finishPull = (stage: string): BootCheck => ({
  name: `${stage}: the pull is done again, and the second release is what it has to be`,
  run: async (board) => {
    const { link } = registry(board);
    const { id, contents: expected, wholeBytes, deltaBytes } = known(board);
    const [before, started] = [link.passedBytes(), Date.now()];
    await board.need(`minke pull ${name(board)}:2`, { timeoutMs: 600_000 * board.scale });
    const [passed, seconds] = [link.passedBytes() - before, Math.round((Date.now() - started) / 1000)];
    ensure(passed < deltaBytes * 1.1 + 65_536, `${passed} bytes came in for a delta of ${deltaBytes}`);
    const now = await imageId(board, 2);
    ensure(now === id, `the image is ${now} instead of ${id}`);
    const found = await contents(board, 2);
    ensure(found === expected, `its files are others: ${found}instead of ${expected}`);
    await board.need('minke system check', { timeoutMs: 300_000 * board.scale });
    return `${passed} bytes in ${seconds} s instead of ${wholeBytes} (${Math.round(wholeBytes / slowBytesPerSecond)} s of that link)`;
  },
});

export const runSecondRelease: BootCheck = {
  name: 'the second release runs in place of the first',
  run: async (board) => {
    await board.need(`minke rm -f web && minke run -d --name web --restart always -p ${board.published.guest}:80 ${name(board)}:2 sh -c "${servePage}"`, { timeoutMs: 240_000 * board.scale });
    ensure((await board.need("minke inspect --format '{{.Image}}' web")).trim() === known(board).id, 'the container is not of the second release');
  },
};
