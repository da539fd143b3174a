import type { Board } from '../board.ts';
import { ensure, type BootCheck } from './check.ts';

const FILE = '/mnt/data/apps/compose.yaml';

interface Status {
  problems: string[];
  services: { name: string; state: string; detail: string }[];
}

/** What a board says of its applications. */
export async function applicationsStatus({ sh, scale }: Pick<Board, 'sh' | 'scale'>): Promise<Status> {
  // Its exit status says whether something is wrong, which may be just what is looked for.
  const { stdout, stderr } = await sh('minke os applications status --format json', { timeoutMs: 60_000 * scale });
  ensure(stdout.trim() !== '', stderr);
  return JSON.parse(stdout) as Status;
}

/** Two services of the test's own image, one of which waits for the other's health. */
const compose = (image: string): string => `name: boot-test
services:
  page:
    image: ${image}
    init: true
    command: sh -c "echo 'from an application' >/tmp/index.html; exec httpd -f -p 80 -h /tmp"
    restart: always
    healthcheck: {test: wget -q -O /dev/null http://127.0.0.1/, interval: 2s, timeout: 60s, retries: 30}
  reader:
    image: ${image}
    init: true
    command: sh -c "wget -q -O /kept/page http://page/ && exec sleep 100000"
    restart: always
    depends_on: {page: {condition: service_healthy}}
    volumes: ["kept:/kept"]
volumes: {kept: }
`;

const running = (board: Board): Promise<string> =>
  board.eventually(240, async () => {
    const { services } = await applicationsStatus(board);
    ensure(services.length === 2 && services.every(({ state }) => state === 'running'), JSON.stringify(services));
    return services.map(({ name, state }) => `${name} ${state}`).join(', ');
  });

const id = async (board: Board, name: string): Promise<string> => (await board.need(`minke inspect --format '{{.Id}}' boot-test-${name}-1`, { timeoutMs: 60_000 * board.scale })).trim();

export const applicationsChecks: readonly BootCheck[] = [
  {
    name: 'applications: a compose file is brought up, in the order of what waits for what',
    run: async (board) => {
      await board.need(`mkdir -p /mnt/data/apps && cat >${FILE}`, { stdin: Buffer.from(compose(board.container.reference)) });
      const text = await running(board);
      const page = await board.need('minke exec boot-test-reader-1 cat /kept/page', { timeoutMs: 60_000 * board.scale });
      ensure(page.trim() === 'from an application', `the reader has ${JSON.stringify(page)}`);
      return text;
    },
  },
  {
    name: 'applications: what somebody removes comes back',
    run: async (board) => {
      const before = await id(board, 'page');
      await board.need('minke rm -f boot-test-page-1', { timeoutMs: 120_000 * board.scale });
      await board.eventually(120, async () => ensure((await id(board, 'page')) !== before, 'it is not back'));
      await running(board);
    },
  },
  {
    name: 'applications: a wrong file stops nothing, and the status says why',
    run: async (board) => {
      const before = [await id(board, 'page'), await id(board, 'reader')];
      await board.need(`cp ${FILE} ${FILE}.good && echo 'services: {page: {imag: x}}' >${FILE}`);
      await board.eventually(60, async () => {
        const { problems } = await applicationsStatus(board);
        ensure(problems.some((problem) => problem.includes('services.page.imag: there is no such key')), JSON.stringify(problems));
      });
      ensure([await id(board, 'page'), await id(board, 'reader')].join() === before.join(), 'the containers are others');
      await board.need(`mv ${FILE}.good ${FILE}`);
      await board.eventually(60, async () => ensure((await applicationsStatus(board)).problems.length === 0, 'the good file is not taken'));
      await running(board);
    },
  },
  {
    name: 'applications: their keeper rests in little memory',
    run: async (board) => {
      const text = await board.need("sed -n 's/^Pss:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$(systemctl show -P MainPID minke-applications.service)/smaps_rollup");
      const kilobytes = Number(text.trim());
      ensure(kilobytes > 0 && kilobytes <= 16_384, `${text.trim()} kB`);
      return `${kilobytes} kB`;
    },
  },
];

/** For later boots. */
export const returningApplications = (stage: string): BootCheck => ({ name: `${stage}: the applications of the compose file run`, run: running });
