// An emulated board for measurements: an image as `osbuild run` starts it, and a shell on it over SSH.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const home = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const START_MS = 1_800_000;

/** Runs a program of this computer (with the administrator's folders in PATH) and returns its standard output; an error names what it wrote. */
export function run(argv, options = {}) {
  const [program, ...args] = argv;
  const { status, stdout, stderr, error } = spawnSync(program, args, { maxBuffer: 1 << 28, env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` }, ...options });
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status ?? error?.message}: ${stderr}`);
  return stdout;
}

/** Seconds that the processors of a board have worked, of the first line of its /proc/stat. */
export function busySeconds(line) {
  const [user, nice, system, , , irq, softirq] = line.trim().split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq) / 100;
}

export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/**
 * Starts a machine's image (built where it is not) on a disk of its own and waits until somebody can log in. Needs ssh, ssh-keygen and script.
 * `there(script, input)` runs a script as root and returns its output, `first` is what the script of that name printed when it was let in first.
 */
export async function openBoard(machine, first = 'true') {
  const folder = mkdtempSync(join(tmpdir(), 'osbuild-board-'));
  const port = await new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address();
      server.close(() => resolve(free));
    });
  });
  const key = join(folder, 'key');
  run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const ssh = ['ssh', '-p', String(port), '-i', key, '-o', 'ConnectTimeout=60', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', 'root@127.0.0.1'];
  const there = (script, input) => run([...ssh, script], { input }).toString();
  const board = spawn('script', ['-qec', `${join(home, 'osbuild')} run --machine ${machine} --forward ${port}:22222 --ssh-key ${key}.pub`, join(folder, 'console')], { stdio: ['pipe', 'ignore', 'inherit'] });
  let ended = false;
  board.once('exit', () => (ended = true));
  const close = async () => {
    if (!ended) board.stdin.write('\u0001x');
    for (let waited = 0; !ended && waited < 10; waited += 1) await sleep(1000);
    board.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const deadline = Date.now() + START_MS; ; await sleep(1000)) {
    try {
      return { first: there(first), there, close };
    } catch (error) {
      if (!ended && Date.now() < deadline) continue;
      const end = readFileSync(join(folder, 'console'), 'utf8').slice(-2000);
      await close();
      throw new Error(`nobody can log in (${error.message}):\n${end}`);
    }
  }
}
