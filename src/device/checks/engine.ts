import { dirname } from 'node:path';

import { shellLine } from '../../exec/index.ts';
import type { Board } from '../board.ts';
import { ensure, type BootCheck } from './check.ts';

const engine = (board: Board, ...words: string[]): Promise<string> => board.need(shellLine(['minke', ...words]), { timeoutMs: 120_000 * board.scale });

const run = (board: Board, ...words: string[]): Promise<string> => engine(board, 'run', '--rm', board.container.reference, ...words);

/** What answers at the port that is forwarded to the board, asked from outside. */
export async function publishedPage(board: Board): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${board.published.host}/`, { signal: AbortSignal.timeout(20_000) });
  return response.text();
}

export const page = 'served by a container';

/** What a container does whose published port 80 answers. */
export const servePage = `echo '${page}' >/tmp/index.html; exec httpd -f -p 80 -h /tmp`;

export const loadsImage: BootCheck = {
  name: 'engine: loads an image',
  run: async (board) => {
    const text = await board.need('minke load', { stdin: board.container.archive, timeoutMs: 300_000 * board.scale });
    const images = await engine(board, 'images', '--format', '{{.Repository}}:{{.Tag}}');
    ensure(images.split('\n').includes(board.container.reference), `after ${JSON.stringify(text.trim())} there are ${JSON.stringify(images.trim())}`);
    return text.trim();
  },
};

export const runsContainer: BootCheck = {
  name: 'engine: runs a container from the loaded image',
  run: async (board) => {
    const text = await run(board, 'sh', '-c', 'echo container-$((6 * 7)) $(uname -s) as $(id -u 2>/dev/null || echo 0)');
    ensure(text.startsWith('container-42 Linux'), `it printed ${JSON.stringify(text)}`);
  },
};

export const publishesPort: BootCheck = {
  name: 'engine: a published port answers from outside the board',
  run: async (board) => {
    const options = ['-d', '--name', 'web', '--restart', 'always', '-p', `${board.published.guest}:80`];
    await engine(board, 'run', ...options, board.container.reference, 'sh', '-c', servePage);
    await board.eventually(30, async () => {
      const text = await publishedPage(board);
      ensure(text.trim() === page, `it answered ${JSON.stringify(text)}`);
    });
  },
};

export const engineChecks: readonly BootCheck[] = [
  loadsImage,
  runsContainer,
  {
    name: "engine: a container's exit status comes back",
    run: async (board) => {
      const { status } = await board.sh(shellLine(['minke', 'run', '--rm', board.container.reference, 'sh', '-c', 'exit 43']), { timeoutMs: 120_000 * board.scale });
      ensure(status === 43, `it came back as ${status}`);
    },
  },
  {
    name: 'engine: a container resolves names',
    // The name server learns of the containers' bridge some time after the first container has made it.
    run: (board) =>
      board.eventually(30, async () => {
        const text = await run(board, 'nslookup', board.serviceName);
        ensure(text.includes('10.0.2.2'), `nslookup printed ${JSON.stringify(text)}`);
      }),
  },
  {
    name: 'engine: a container reaches a server on the host',
    run: async (board) => {
      const path = '/from-a-container';
      const text = await run(board, 'wget', '-q', '-O', '-', '-T', '30', `http://${board.serviceName}:${board.services.httpPort}${path}`);
      ensure(text === board.serviceAnswer, `wget printed ${JSON.stringify(text)}`);
      ensure(board.services.requests.some((request) => request.endsWith(path)), 'the server on the host was never asked');
    },
  },
  publishesPort,
  {
    name: 'engine: killed, it comes back, and its containers never notice',
    run: async (board) => {
      const pid = (await engine(board, 'inspect', '--format', '{{.State.Pid}}', 'web')).trim();
      const before = (await board.need('systemctl show -P MainPID minke.service')).trim();
      ensure(Number(pid) > 1 && Number(before) > 1, `the engine is process ${before}, the container ${pid}`);
      await board.need(`kill -9 ${before}`);
      await board.eventually(60, async () => {
        const after = (await board.need('systemctl is-active minke.service >/dev/null && systemctl show -P MainPID minke.service')).trim();
        ensure(after !== before && Number(after) > 1, `the engine is process ${after}`);
        const list = await engine(board, 'ps', '--format', '{{.Names}}');
        ensure(list.split('\n').includes('web'), `it lists ${JSON.stringify(list)}`);
      });
      const same = (await engine(board, 'inspect', '--format', '{{.State.Pid}}', 'web')).trim();
      ensure(same === pid, `the container is process ${same} instead of ${pid}`);
      await board.need(`kill -0 ${pid}`);
      const text = await board.eventually(30, () => publishedPage(board));
      ensure(text.trim() === page, `the container answered ${JSON.stringify(text)}`);
      ensure((await engine(board, 'exec', 'web', 'echo', 'exec-works')).trim() === 'exec-works', 'exec does not work in the container');
    },
  },
];

const leaver = 'leaver';
const leaverFile = `/mnt/data/minke/volumes/${leaver}/_data/ended`;

/** Left behind before a restart that somebody asks for. It says what it still had of the network when it was told to end. */
export const leavesContainer: BootCheck = {
  name: 'engine: a container runs that has something to do at its end',
  run: async (board) => {
    const script = 'trap "sleep 2; ip route >/kept/.ended; sync; mv /kept/.ended /kept/ended; sync; exit 0" USR1; touch /kept/runs; while :; do sleep 1; done';
    await engine(board, 'run', '-d', '--name', leaver, '--restart', 'on-failure', '--stop-signal', 'USR1', '--stop-timeout', '120', '-v', `${leaver}:/kept`, board.container.reference, 'sh', '-c', script);
    await board.eventually(60, () => board.need(`test -e ${dirname(leaverFile)}/runs && ! test -e ${leaverFile}`));
  },
};

/** After that restart. */
export const returningLeaver = (stage: string): BootCheck => ({
  name: `${stage}: the container was told to end by its own signal, with a network and time for it, and runs again`,
  run: async (board) => {
    const routes = await board.need(`cat ${leaverFile}`);
    ensure(routes.includes('default'), `its routes were ${JSON.stringify(routes)}`);
    await board.eventually(180, async () => {
      const state = (await engine(board, 'inspect', '-f', '{{.State.Status}}', leaver)).trim();
      ensure(state === 'running', `it is ${state}`);
    });
    await engine(board, 'rm', '-f', '-v', leaver);
    await engine(board, 'volume', 'rm', leaver);
  },
});

/** For later boots: containers that ask for it are there again. */
export const returningContainer = (stage: string): BootCheck => ({
  name: `${stage}: the container that always restarts runs and answers`,
  run: async (board) => {
    await board.eventually(180, async () => {
      const text = await publishedPage(board);
      ensure(text.trim() === page, `it answered ${JSON.stringify(text)}`);
    });
  },
});

/** For later boots: the loaded image is whole and usable. */
export const usableImage = (stage: string): BootCheck => ({
  name: `${stage}: the engine runs a container from the image loaded before`,
  run: async (board) => {
    const text = await board.eventually(60, () => run(board, 'sh', '-c', 'echo again-$((6 * 7))'));
    ensure(text.startsWith('again-42'), `it printed ${JSON.stringify(text)}`);
  },
});
