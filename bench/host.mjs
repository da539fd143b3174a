#!/usr/bin/env node
// Measures the engine's binaries: size of each, and for the one that runs here start-up, idle memory and CPU, time to the first
// answer, requests a second and SHA-256. Prints Markdown tables.
//
//   node bench/host.mjs [--folder out/engine] [--runs 20]
//
// The folder holds <arch>/minke, as `osbuild engine --arch all` leaves them. The daemon is started on a socket and data root of
// its own in a temporary folder; that part needs root.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { folder: { type: 'string', default: 'out/engine' }, runs: { type: 'string', default: '20' } } });
const runs = Number(values.runs);
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

const archs = readdirSync(values.folder).filter((name) => existsSync(join(values.folder, name, 'minke'))).toSorted();
console.log(`Measured on ${cpus()[0].model}, ${cpus().length} cores.\n`);
console.log(
  table(
    ['architecture', 'minke, bytes', 'xz -9, bytes'],
    archs.map((arch) => {
      const path = join(values.folder, arch, 'minke');
      const packed = spawnSync('xz', ['-9e', '-c', path], { maxBuffer: 1 << 26 });
      return [arch, statSync(path).size, packed.status === 0 ? packed.stdout.length : 'no xz here'];
    }),
  ),
);

const own = { x64: 'amd64', arm64: 'aarch64', ia32: 'i386', arm: 'armv7hf' }[process.arch];
const binary = join(values.folder, own, 'minke');
if (!existsSync(binary)) {
  console.log(`\nNone of them runs here (${process.arch}): nothing more measured.`);
  process.exit(0);
}

function status(pid, key) {
  return Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
function cpuTicks(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
function get(socketPath, path, agent) {
  return new Promise((resolve, reject) => {
    request({ socketPath, path, ...(agent ? { agent } : {}) }, (response) => response.on('end', () => resolve(response.statusCode)).resume())
      .on('error', reject)
      .end();
  });
}

const version = [];
for (let i = 0; i < runs; i++) {
  const start = performance.now();
  const result = spawnSync(binary, ['--version'], { stdio: 'ignore' });
  if (result.status !== 0) throw new Error(`${binary} --version ended with ${result.status ?? result.signal}`);
  version.push(performance.now() - start);
}

const work = mkdtempSync(join(tmpdir(), 'minke-bench-'));
const socket = join(work, 'minke.sock');
const argv = ['daemon', '-H', `unix://${socket}`, '--data-root', join(work, 'data'), '--exec-root', join(work, 'run'), '--pidfile', join(work, 'pid')];
const start = performance.now();
const daemon = spawn(binary, argv, { stdio: ['ignore', 'ignore', 'pipe'] });
let said = '';
daemon.stderr.on('data', (text) => (said += text));
try {
  let ready;
  while (ready === undefined) {
    if (daemon.exitCode !== null) throw new Error(`the daemon ended with ${daemon.exitCode}:\n${said}`);
    if (performance.now() - start > 30_000) throw new Error(`the daemon does not answer:\n${said}`);
    await get(socket, '/_ping').then(() => (ready = performance.now() - start), () => sleep(1));
  }
  await sleep(2000);
  const idle = { rss: status(daemon.pid, 'VmRSS'), private: status(daemon.pid, 'RssAnon') };
  const before = cpuTicks(daemon.pid);
  await sleep(10_000);
  const idleTicks = cpuTicks(daemon.pid) - before;
  const count = 5000;
  const begin = performance.now();
  for (let i = 0; i < count; i++) await get(socket, '/_ping');
  const seconds = (performance.now() - begin) / 1000;
  const after = status(daemon.pid, 'VmRSS');
  console.log('');
  console.log(
    table(
      ['measured', 'value'],
      [
        ['minke --version, median', `${median(version).toFixed(1)} ms`],
        ['daemon: start to first answer', `${ready.toFixed(1)} ms`],
        ['daemon idle: resident (private)', `${(idle.rss / 1024).toFixed(1)} MiB (${(idle.private / 1024).toFixed(1)} MiB)`],
        ['daemon idle: CPU in 10 s', `${idleTicks * 10} ms`],
        [`daemon: ${count} connections, one request each`, `${Math.round(count / seconds)} a second, the client's time included`],
        ['daemon: resident afterwards', `${(after / 1024).toFixed(1)} MiB`],
      ],
    ),
  );
} finally {
  daemon.kill('SIGTERM');
  await new Promise((resolve) => (daemon.exitCode === null && daemon.signalCode === null ? daemon.once('exit', resolve) : resolve()));
  rmSync(work, { recursive: true, force: true });
}
