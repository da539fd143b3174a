// Measures pulls of one image from a registry on loopback by several engines in turn, each on an ext4 of its own, in a memory cgroup of its own. Prints a Markdown table.
//
//   node bench/transfers/image.mjs /var/tmp/transfers/image
//   node bench/transfers/pull.mjs --image /var/tmp/transfers/image --folder /var/tmp/transfers [--engine minke --engine docker --engine podman] [--runs 3] [--working-set 96 --limit 192]
//
// Needs root, cgroup v1's memory and cpuacct, loop devices, and what the engines need; --path adds folders to PATH (where programs of Debian packages were unpacked, say).
// With --working-set so many MB of a file have been read in the same cgroup, which has a limit of --limit MB: the column tells how much of it is cached after the pull.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    image: { type: 'string' }, folder: { type: 'string' }, engine: { type: 'string', multiple: true, default: ['minke'] }, minke: { type: 'string', default: 'out/engine/amd64/minke' },
    runs: { type: 'string', default: '3' }, path: { type: 'string', default: '' }, 'working-set': { type: 'string', default: '0' }, limit: { type: 'string', default: '0' },
  },
});
if (!values.image || !values.folder) throw new Error('--image and --folder are needed');
const folder = resolve(values.folder);
const minke = resolve(values.minke);
if (process.env.TRANSFERS_INSIDE === undefined) {
  // Mounts and networks of our own: nothing of the machine's is touched. Hybrid cgroups are what crun refuses.
  const setUp = 'umount /sys/fs/cgroup/unified 2>/dev/null; ip link set lo up; exec "$@"';
  const inside = spawnSync('unshare', ['-m', '-n', '--propagation', 'private', 'sh', '-c', setUp, 'sh', process.execPath, ...process.argv.slice(1)], { stdio: 'inherit', env: { ...process.env, TRANSFERS_INSIDE: '1' } });
  process.exit(inside.status ?? 1);
}
process.env.PATH = `${values.path === '' ? '' : `${values.path}:`}${process.env.PATH}`;

const MB = 1e6;
const NAME = '127.0.0.1:5000/bench:1';
const ENGINES = {
  minke: {
    daemon: (data, run) => [minke, 'daemon', '-H', `unix://${run}/s`, '--data-root', data, '--exec-root', `${run}/exec`, '--pidfile', '', '--bridge', 'none'],
    ready: (run) => [minke, '-H', `unix://${run}/s`, 'version'],
    pull: (run) => [minke, '-H', `unix://${run}/s`, 'pull', '-q', NAME],
  },
  docker: {
    daemon: (data, run) => ['dockerd', '-H', `unix://${run}/s`, '--data-root', data, '--exec-root', `${run}/exec`, '--pidfile', `${run}/pid`, '--bridge', 'none', '--iptables=false', '--ip6tables=false', '--storage-driver', 'overlay2'],
    ready: (run) => ['docker', '-H', `unix://${run}/s`, 'version'],
    pull: (run) => ['docker', '-H', `unix://${run}/s`, 'pull', '-q', NAME],
  },
  // No daemon: the one that pulls is measured.
  podman: { pull: (run, data) => ['podman', '--root', data, '--runroot', `${run}/exec`, '--storage-driver', 'overlay', 'pull', '-q', '--tls-verify=false', NAME], measured: true },
};

const registry = spawn(process.execPath, [join(import.meta.dirname, 'registry.mjs'), values.image, '5000'], { stdio: ['ignore', 'pipe', 'inherit'] });
await new Promise((started) => registry.stdout.once('data', started));

function run(argv) {
  const result = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr ?? result.error}`);
  return result.stdout.trim();
}

function field(path, name) {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(readFileSync(path, 'utf8'))?.[1] ?? Number.NaN);
}

async function measure(name) {
  const engine = ENGINES[name];
  const place = join(folder, `run-${process.pid}`);
  const [data, state, disk] = [join(place, 'data'), join(place, 'state'), join(place, 'disk')];
  const groups = { memory: `/sys/fs/cgroup/memory/transfers-${process.pid}`, cpu: `/sys/fs/cgroup/cpuacct/transfers-${process.pid}` };
  for (const each of [data, state, ...Object.values(groups)]) mkdirSync(each, { recursive: true });
  run(['truncate', '-s', '3G', disk]);
  run(['mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', disk]);
  // Direct, so that the cache of the file behind the device does not count.
  const loop = run(['losetup', '--find', '--show', '--direct-io=on', disk]);
  const inGroups = (argv) => ['sh', '-c', `${Object.values(groups).map((group) => `echo $$ > ${group}/cgroup.procs`).join('; ')}; exec "$@"`, 'sh', ...argv];
  let daemon;
  try {
    run(['mount', loop, data]);
    const limitBytes = Number(values.limit) * MB;
    if (limitBytes > 0) writeFileSync(`${groups.memory}/memory.limit_in_bytes`, String(limitBytes));
    if (engine.daemon !== undefined) {
      const [program, ...args] = inGroups(engine.daemon(join(data, 'root'), state));
      daemon = spawn(program, args, { stdio: ['ignore', 'ignore', openSync(join(folder, `${name}.log`), 'w')] });
      const [check, ...checkArgs] = engine.ready(state);
      for (let tries = 0; spawnSync(check, checkArgs).status !== 0; tries += 1) {
        if (tries > 300 || daemon.exitCode !== null) throw new Error(`${name} does not start: see ${folder}/${name}.log`);
        await sleep(100);
      }
    }
    const set = join(place, 'set');
    if (Number(values['working-set']) > 0) {
      writeFileSync(set, Buffer.alloc(Number(values['working-set']) * MB, 1));
      run(['sync', set]);
      run(['sh', '-c', `dd if=${set} iflag=nocache count=0 2>/dev/null`]);
      for (let times = 0; times < 3; times += 1) run(inGroups(['sh', '-c', `cat ${set} > /dev/null`]));
    }
    run(['sync', '-f', data]);
    const sectors = () => Number(readFileSync(`/sys/block/${loop.slice(5)}/stat`, 'utf8').trim().split(/\s+/)[6]);
    const stat = (what) => field(`${groups.memory}/memory.stat`, what);
    const cpuMs = () => Number(readFileSync(`${groups.cpu}/cpuacct.usage`, 'utf8')) / 1e6;
    const before = { sectors: sectors(), cache: stat('total_cache'), rss: stat('total_rss'), cpuMs: cpuMs() };
    let [peakRss, peakCache] = [before.rss, before.cache];
    const sampler = setInterval(() => {
      peakRss = Math.max(peakRss, stat('total_rss'));
      peakCache = Math.max(peakCache, stat('total_cache'));
    }, 20);
    const argv = engine.pull(state, join(data, 'root'));
    const [program, ...args] = engine.measured ? inGroups(argv) : argv;
    const began = performance.now();
    const pulling = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    pulling.stderr.on('data', (part) => (said += part));
    const code = await new Promise((ended) => pulling.once('close', ended));
    const seconds = (performance.now() - began) / 1000;
    clearInterval(sampler);
    if (code !== 0) throw new Error(`${name}: ${said}`);
    const after = { cache: stat('total_cache'), cpuMs: cpuMs() };
    run(['sync', '-f', data]);
    const kept = existsSync(set) ? Number(run(['fincore', '-b', '-n', '-o', 'RES', set])) / MB : undefined;
    return {
      seconds, cpu: (after.cpuMs - before.cpuMs) / 1000, written: ((sectors() - before.sectors) * 512) / MB, stored: Number(run(['du', '-s', '-B1', data]).split(/\s/)[0]) / MB,
      cache: (after.cache - before.cache) / MB, peakCache: (peakCache - before.cache) / MB, memory: (peakRss - (engine.measured ? 0 : before.rss)) / MB, ...(kept === undefined ? {} : { kept }),
    };
  } finally {
    if (daemon !== undefined && daemon.exitCode === null) {
      const ended = new Promise((done) => daemon.once('exit', done));
      daemon.kill('SIGTERM');
      await ended;
    }
    for (let tries = 0; spawnSync('umount', ['-R', data]).status !== 0 && tries < 50; tries += 1) await sleep(100);
    spawnSync('losetup', ['-d', loop]);
    rmSync(place, { recursive: true, force: true });
    for (const group of Object.values(groups)) {
      for (let tries = 0; tries < 50; tries += 1) {
        try {
          rmdirSync(group);
          break;
        } catch {
          await sleep(100);
        }
      }
    }
  }
}

try {
  const results = new Map(values.engine.map((name) => [name, []]));
  // In turn, so that what else the machine does hits all of them.
  for (let round = 0; round < Number(values.runs); round += 1) for (const name of values.engine) results.get(name).push(await measure(name));
  const columns = { seconds: 's', cpu: 'CPU s', written: 'written, MB', stored: 'on disk, MB', cache: 'cache after, MB', peakCache: 'cache at most, MB', memory: 'memory at most, MB', kept: 'working set kept, MB' };
  const shown = Object.keys(columns).filter((key) => key in [...results.values()][0][0]);
  console.log(`| | ${shown.map((key) => columns[key]).join(' | ')} |\n|---|${shown.map(() => '---|').join('')}`);
  const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
  for (const [name, runs] of results) console.log(`| ${name} | ${shown.map((key) => median(runs.map((each) => each[key])).toFixed(1)).join(' | ')} |`);
} finally {
  registry.kill('SIGKILL');
}
