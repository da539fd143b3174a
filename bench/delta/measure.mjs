#!/usr/bin/env node
// Measures deltas between real inputs against the gzip'd layer that a pull would load: sizes, seconds and the daemon's peak memory. Prints a Markdown table.
//
//   node bench/delta/measure.mjs --engine out/engine/amd64/minke --folder /var/tmp/delta-bench [--case NAME …]
//
// Needs root, crun and conmon, a Debian machine whose apt knows two versions of the packages (the newest and the oldest are taken), npm, and about 3 GB in the folder, which is kept.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { engine: { type: 'string', default: 'out/engine/amd64/minke' }, folder: { type: 'string' }, case: { type: 'string', multiple: true } } });
if (!values.folder) throw new Error('--folder DIR says where to work');
const folder = resolve(values.folder);
const engine = resolve(values.engine);

function run(program, args, options = {}) {
  const result = spawnSync(program, args, { maxBuffer: 1 << 30, ...options });
  if (result.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${result.stderr ?? result.error}`);
  return result.stdout.toString();
}

const PACKAGES = ['openssl', 'libssl3', 'python3.11-minimal', 'libpython3.11-minimal', 'libpython3.11-stdlib', 'git', 'curl', 'libcurl4', 'libc6', 'systemd', 'perl-base', 'nginx', 'libxml2', 'libicu72'];

/** The packages' files, of the newest or the oldest version that apt knows. */
function debs(names, which, to) {
  mkdirSync(to, { recursive: true });
  for (const name of names) {
    const versions = run('apt-cache', ['madison', name]).trim().split('\n').map((line) => line.split('|')[1].trim());
    const version = which === 'new' ? versions[0] : versions.at(-1);
    const path = join(folder, 'debs', `${name}_${version.replaceAll(/[:~]/g, '_')}`);
    if (!existsSync(path)) {
      mkdirSync(path, { recursive: true });
      run('apt-get', ['download', `${name}=${version}`], { cwd: path });
    }
    run('dpkg-deb', ['-x', join(path, readdirSync(path)[0]), to]);
  }
}

/** A package from npm, unpacked. */
function npm(name, version, to) {
  const path = join(folder, 'npm', `${name.replaceAll('/', '_')}-${version}`);
  if (!existsSync(path)) {
    mkdirSync(path, { recursive: true });
    run('npm', ['pack', '--silent', `${name}@${version}`], { cwd: path });
  }
  mkdirSync(to, { recursive: true });
  run('tar', ['-xzf', join(path, readdirSync(path)[0]), '-C', to, '--strip-components=1']);
}

function app(to, { native, edit }) {
  for (const [name, version] of [['typescript', '5.8.3'], ['lodash', '4.17.21'], ['rxjs', '7.8.1']]) npm(name, version, `${to}/app/node_modules/${name}`);
  npm('@esbuild/linux-x64', native, `${to}/app/node_modules/@esbuild/linux-x64`);
  writeFileSync(`${to}/app/server.js`, `${"console.log('serving');\n".repeat(200)}${edit}\n`);
}

const later = (tree) => run('find', [tree, '-exec', 'touch', '-h', '-d', '2026-02-03 04:05:06', '{}', '+']);

/** What each makes in two folders. */
const cases = {
  'a package added to 14 packages': (a, b) => {
    debs(PACKAGES, 'new', a);
    debs([...PACKAGES, 'jq', 'libjq1', 'libonig5'], 'new', b);
  },
  'the same files, all times new': (a, b) => {
    debs(PACKAGES, 'new', a);
    debs(PACKAGES, 'new', b);
    later(b);
  },
  '14 packages, oldest → newest': (a, b) => {
    debs(PACKAGES, 'old', a);
    debs(PACKAGES, 'new', b);
  },
  'libnode108, rebuilt for security': (a, b) => {
    debs(['libnode108'], 'old', a);
    debs(['libnode108'], 'new', b);
  },
  'Node application, one file edited, rebuilt': (a, b) => {
    app(a, { native: '0.25.4', edit: '' });
    app(b, { native: '0.25.4', edit: 'serve();' });
    later(b);
  },
  'the same, and its native program updated': (a, b) => {
    app(a, { native: '0.25.4', edit: '' });
    app(b, { native: '0.25.5', edit: 'serve();' });
    later(b);
  },
};

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

/** An image of one layer as an archive that any engine loads. */
function archive(name, tar) {
  const work = join(folder, 'archive');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work);
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(readFileSync(tar))}`] } });
  run('sh', ['-c', `gzip -6 -n < '${tar}' > '${work}/layer.tar.gz'`]);
  writeFileSync(join(work, 'config.json'), config);
  writeFileSync(join(work, 'manifest.json'), JSON.stringify([{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar.gz'] }]));
  const path = join(folder, `${name.replace(':', '-')}.tar`);
  run('tar', ['-cf', path, '-C', work, 'layer.tar.gz', 'config.json', 'manifest.json']);
  return { path, gzipBytes: statSync(join(work, 'layer.tar.gz')).size, id: `sha256:${sha256(config)}` };
}

async function withDaemon(action) {
  const root = join(folder, 'engine');
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  const socket = join(root, 's');
  const daemon = spawn('unshare', ['-m', '-n', engine, 'daemon', '-H', `unix://${socket}`, '--data-root', join(root, 'data'), '--exec-root', join(root, 'run'), '--pidfile', '', '--bridge', 'none'], { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    for (let i = 0; !existsSync(socket) && i < 200; i += 1) await sleep(50);
    return await action((...args) => run(engine, ['-H', `unix://${socket}`, ...args]), daemon.pid);
  } finally {
    const ended = new Promise((done) => daemon.once('exit', done));
    daemon.kill('SIGTERM');
    await ended;
    rmSync(root, { recursive: true, force: true });
  }
}

const status = (pid, key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

/** Seconds, and the highest resident memory above what it was before, in MiB. */
function measured(pid, action) {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  const before = status(pid, 'VmRSS');
  const start = performance.now();
  action();
  return { seconds: (performance.now() - start) / 1000, peak: status(pid, 'VmHWM') - before, resident: status(pid, 'VmHWM') };
}

const rows = [];
for (const [name, make] of Object.entries(cases)) {
  if (values.case !== undefined && !values.case.some((wanted) => name.includes(wanted))) continue;
  const trees = ['old', 'new'].map((which) => join(folder, which));
  for (const tree of trees) rmSync(tree, { recursive: true, force: true });
  for (const tree of trees) mkdirSync(tree, { recursive: true });
  make(...trees);
  const [old, fresh] = ['old', 'new'].map((which) => {
    const tar = join(folder, `${which}-layer.tar`);
    run('tar', ['-cf', tar, '--sort=name', '--numeric-owner', '--owner=0', '--group=0', '-C', join(folder, which), '.']);
    return { ...archive(`${which}:1`, tar), rawBytes: statSync(tar).size };
  });
  rows.push(
    await withDaemon((minke, pid) => {
      minke('load', '-i', old.path);
      const full = measured(pid, () => minke('load', '-i', fresh.path));
      const create = measured(pid, () => minke('image', 'delta', 'old:1', 'new:1', '-t', 'delta:1'));
      const file = join(folder, 'delta.tar');
      minke('save', '-o', file, 'delta:1');
      const [manifest] = JSON.parse(run('tar', ['-xOf', file, 'manifest.json']));
      const deltaBytes = Number(run('sh', ['-c', `tar -xOf '${file}' '${manifest.Layers[0]}' | gzip -6 | wc -c`])) + Number(run('sh', ['-c', `tar -xOf '${file}' '${manifest.Config}' | wc -c`]));
      minke('rmi', '-f', 'new:1');
      minke('rmi', '-f', 'delta:1');
      const apply = measured(pid, () => minke('load', '-i', file));
      const id = minke('inspect', '-f', '{{.Id}}', 'delta:1').trim();
      if (id !== fresh.id) throw new Error(`${name}: the delta gave ${id} and not ${fresh.id}`);
      const mb = (bytes) => (bytes / 1e6).toFixed(bytes < 1e6 ? 4 : 1);
      return [name, mb(fresh.rawBytes), mb(fresh.gzipBytes), mb(deltaBytes), `${Math.round(fresh.gzipBytes / deltaBytes)}×`, create.seconds.toFixed(1), Math.round(create.peak), apply.seconds.toFixed(1), Math.round(apply.peak), full.seconds.toFixed(1)];
    }),
  );
  process.stderr.write(`${rows.at(-1).join('  ')}\n`);
}
const head = ['', 'layer, MB', 'gzip -6', 'delta', 'smaller by', 'create, s', 'create, MiB', 'apply, s', 'apply, MiB', 'load whole, s'];
console.log(`Measured on ${cpus()[0].model}, ${cpus().length} cores.\n`);
for (const row of [head, head.map(() => '---'), ...rows]) console.log(`| ${row.join(' | ')} |`);
