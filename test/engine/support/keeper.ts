import { execFileSync, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, rmdirSync } from 'node:fs';

import type { ApplicationsStatus } from '../../../src/engine/compose/status.ts';
import { waitFor, type Lab, type Outcome } from './lab.ts';

const binary = process.env['OSBUILD_ENGINE_BINARY'] ?? '';
const RUN = '/run/minke-applications';

/** The keeper of applications in a lab that has the device's folders as mounts. */
export interface Keeper {
  start(): void;
  kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  pid(): number;
  log(): string;
  /** Puts a file below the folder of the boot partition's applications. */
  put(name: string, text: string, folder?: 'boot' | 'data'): void;
  drop(name: string, folder?: 'boot' | 'data'): void;
  ask(...words: string[]): Outcome;
  status(): ApplicationsStatus;
  /** Waits until everything is as it should be, or as `as` says. */
  settled(as?: (status: ApplicationsStatus) => boolean): Promise<ApplicationsStatus>;
  restartSystem(): void;
  close(): void;
}

/** `data`: a file with a file system that is the data partition. */
export function prepareKeeper(lab: Lab, { patienceMs = 60_000, data }: { patienceMs?: number; data?: string } = {}): Keeper {
  const made = !existsSync(RUN);
  if (made) execFileSync('mkdir', [RUN]);
  const shell = (script: string, input?: string): string => {
    const { code, stdout, stderr } = lab.run(['sh', '-ec', script], input);
    if (code !== 0) throw new Error(`${script}: ${stdout}${stderr}`);
    return stdout;
  };
  shell(`mount -t tmpfs tmpfs /mnt; mkdir -p /mnt/boot /mnt/data; mount -t tmpfs tmpfs /mnt/boot; mount -t tmpfs tmpfs ${RUN}; mkdir -p /mnt/boot/apps; ${data === undefined ? '' : `mount -o loop ${data} /mnt/data; `}mkdir -p /mnt/data/apps`);
  let child: ChildProcess | undefined;
  let said = '';
  const ask = (...words: string[]): Outcome => lab.run([binary, 'os', 'applications', ...words]);
  const keeper: Keeper = {
    start() {
      child = lab.spawn([binary, 'os', 'applications', 'run']);
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (said += data.toString()));
    },
    kill: (signal) => new Promise((resolve) => {
      child?.once('exit', () => resolve());
      child?.kill(signal);
    }),
    pid: () => keeper.status().pid,
    log: () => said,
    put: (name, text, folder = 'boot') => void shell(`mkdir -p "$(dirname /mnt/${folder}/apps/${name})"; cat >/mnt/${folder}/apps/${name}.part; mv /mnt/${folder}/apps/${name}.part /mnt/${folder}/apps/${name}`, text),
    drop: (name, folder = 'boot') => void shell(`rm -rf /mnt/${folder}/apps/${name}`),
    ask,
    status() {
      const { stdout, stderr } = ask('status', '--format', 'json');
      if (stdout === '') throw new Error(stderr);
      return JSON.parse(stdout) as ApplicationsStatus;
    },
    async settled(as = ({ settled, project }) => settled && project !== null) {
      let last: ApplicationsStatus | undefined;
      try {
        await waitFor(() => {
          const { stdout } = ask('status', '--format', 'json');
          last = stdout === '' ? undefined : (JSON.parse(stdout) as ApplicationsStatus);
          return last !== undefined && as(last);
        }, patienceMs);
      } catch {
        throw new Error(`it did not come to that: ${JSON.stringify(last, null, 1)}\n${said.slice(-3000)}\n${lab.daemonLog().slice(-2000)}`);
      }
      return last as ApplicationsStatus;
    },
    restartSystem: () => void shell(`rm -rf ${RUN}/*`),
    close() {
      if (child?.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      if (made && existsSync(RUN) && readdirSync(RUN).length === 0) rmdirSync(RUN);
    },
  };
  return keeper;
}
