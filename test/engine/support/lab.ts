import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { rootfsTar } from './rootfs-tar.ts';

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** An engine in mount and network namespaces of its own: nothing of the machine's network, mounts or Docker is touched. */
export interface Lab {
  readonly folder: string;
  readonly socket: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  /** Runs a program inside the namespaces. */
  run(argv: readonly string[], input?: string | Buffer): Outcome;
  spawn(argv: readonly string[]): ChildProcess;
  docker(...args: string[]): Outcome;
  dockerAsync(...args: string[]): Promise<Outcome>;
  /** stdout of a command that has to succeed. */
  ok(...args: string[]): string;
  /** Added to that of daemons that are started from now on; to be written into. */
  readonly daemonEnv: Record<string, string>;
  startDaemon(...flags: string[]): Promise<void>;
  daemonPid(): number;
  signalDaemon(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
  daemonLog(): string;
  close(): Promise<void>;
}

export const IMAGE = 'busybox:lab';
const READY_TIMEOUT_MS = 15_000;

/** Why these tests cannot run here; undefined when they can. */
export function labObstacle(): string | undefined {
  if (process.env['OSBUILD_ENGINE_BINARY'] === undefined) return 'OSBUILD_ENGINE_BINARY does not name an engine binary';
  if (!existsSync(process.env['OSBUILD_ENGINE_BINARY'])) return `${process.env['OSBUILD_ENGINE_BINARY']} does not exist`;
  if (process.getuid?.() !== 0) return 'not root';
  for (const program of ['docker', 'crun', 'conmon', 'nft', 'ip', 'unshare', 'nsenter', 'busybox']) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return `${program} is not installed`;
  }
  return undefined;
}

export async function openLab(): Promise<Lab> {
  const folder = mkdtempSync('/var/tmp/minke-lab-');
  const binary = process.env['OSBUILD_ENGINE_BINARY'] ?? '';
  // Hybrid cgroups are what crun refuses; without the unified mount it runs.
  const setUp = 'umount /sys/fs/cgroup/unified 2>/dev/null; ip link set lo up; echo ready; exec sleep 1000000';
  const holder = spawn('unshare', ['-m', '-n', '--propagation', 'private', 'sh', '-c', setUp], { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise((resolve) => holder.stdout?.once('data', resolve));
  const enter = ['nsenter', '-t', String(holder.pid), '-m', '-n', '--'];
  const socket = join(folder, 'minke.sock');
  const dataRoot = join(folder, 'data');
  const execRoot = join(folder, 'run');
  const logFile = join(folder, 'daemon.log');
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: folder };
  let daemon: ChildProcess | undefined;
  let daemonEnd: Promise<number | null> = Promise.resolve(0);

  const run = (argv: readonly string[], input?: string | Buffer): Outcome => {
    const [program = '', ...args] = [...enter, ...argv];
    const result = spawnSync(program, args, { env, ...(input === undefined ? {} : { input }), maxBuffer: 256 * 1024 * 1024, timeout: 120_000 });
    return { code: result.status ?? -1, stdout: result.stdout.toString(), stderr: result.stderr.toString() };
  };
  const start = (argv: readonly string[]): ChildProcess => {
    const [program = '', ...args] = [...enter, ...argv];
    return spawn(program, args, { env });
  };
  const lab: Lab = {
    folder, socket, dataRoot, execRoot, run,
    spawn: start,
    docker: (...args) => run(['docker', ...args]),
    dockerAsync: (...args) =>
      new Promise((resolve) => {
        const child = start(['docker', ...args]);
        let stdout = '';
        let stderr = '';
        child.stdout?.on('data', (data: Buffer) => (stdout += data.toString()));
        child.stderr?.on('data', (data: Buffer) => (stderr += data.toString()));
        child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
      }),
    ok(...args) {
      const result = run(['docker', ...args]);
      if (result.code !== 0) throw new Error(`docker ${args.join(' ')} → ${result.code}: ${result.stderr}\n${lab.daemonLog().slice(-2000)}`);
      return result.stdout.trim();
    },
    daemonEnv: {},
    async startDaemon(...flags) {
      const [program = '', ...args] = [
        ...enter, binary, 'daemon', '-H', `unix://${socket}`, '--data-root', dataRoot, '--exec-root', execRoot, '--pidfile', join(folder, 'minke.pid'),
        '--config-file', join(folder, 'daemon.json'), ...flags,
      ];
      if (!existsSync(join(folder, 'daemon.json'))) writeFileSync(join(folder, 'daemon.json'), '{}');
      const log = openSync(logFile, 'a');
      const child = spawn(program, args, { env: { ...env, ...lab.daemonEnv }, stdio: ['ignore', log, log] });
      daemon = child;
      daemonEnd = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
      await waitFor(() => run(['docker', 'version', '--format', '{{.Server.Version}}']).code === 0 || child.exitCode !== null, READY_TIMEOUT_MS);
      if (child.exitCode !== null) throw new Error(`the daemon ended with ${child.exitCode}:\n${lab.daemonLog().slice(-2000)}`);
    },
    daemonPid() {
      if (daemon?.pid === undefined) throw new Error('no daemon');
      return daemon.pid;
    },
    signalDaemon(signal) {
      daemon?.kill(signal);
      return daemonEnd;
    },
    daemonLog: () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : ''),
    async close() {
      if (daemon !== undefined && daemon.exitCode === null && daemon.signalCode === null) {
        const ids = run(['docker', 'ps', '-aq']).stdout.split('\n').filter((id) => id !== '');
        if (ids.length > 0) run(['docker', 'rm', '-f', '-v', ...ids]);
        await lab.signalDaemon('SIGTERM');
      }
      for (const pid of ownProcesses(folder)) process.kill(pid, 'SIGKILL');
      holder.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return lab;
}

/** conmon and its like that a failed test left behind: those that have the lab's folder on their command line. */
function ownProcesses(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(folder);
      } catch {
        return false;
      }
    })
    .map(Number);
}

export async function waitFor(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (await condition()) return;
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Imports the busybox image that the tests use. */
export function loadBusybox(lab: Lab): void {
  const imported = lab.run(['docker', 'import', '--change', 'CMD ["sh"]', '-', IMAGE], gzipSync(rootfsTar()));
  if (imported.code !== 0) throw new Error(imported.stderr);
}

/** Writes a file below the lab's folder and returns its path. */
export function labFile(lab: Lab, name: string, content: string | Buffer): string {
  const path = join(lab.folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
}

/** What is left of containers: mounts below the data root, veths, rules, conmon processes. */
export function leftovers(lab: Lab): string[] {
  const mounts = readFileSync(`/proc/${lab.daemonPid()}/mountinfo`, 'utf8').split('\n').filter((line) => line.includes(`${lab.dataRoot}/containers/`));
  const veths = lab.run(['ip', '-br', 'link']).stdout.split('\n').filter((line) => line.startsWith('veth'));
  const rules = lab.run(['nft', 'list', 'ruleset']).stdout.split('\n').filter((line) => line.includes('dnat to'));
  const conmons = ownProcesses(lab.execRoot).filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'conmon').map((pid) => `conmon ${pid}`);
  const bundles = readdirSync(join(lab.execRoot, 'bundles')).map((name) => `bundle ${name}`);
  const states = readdirSync(join(lab.execRoot, 'crun')).map((name) => `crun ${name}`);
  return [...mounts, ...veths, ...rules, ...conmons, ...bundles, ...states];
}
