#!/usr/bin/env node
// Measures what a device loads of an update of the whole OS. Releases of a machine with the packages that Debian had before its security updates are the bases, the release of the
// machine's lock is the target: all are built, published to Debian's docker-registry, and the engine pulls the target on top of each base, through a line whose bytes are counted:
// once with the base in its store, as after an update, and once with nothing in it but the slot of the base's disk image mounted, as on a device that was flashed.
// Prints a Markdown table. Memory is the daemon's at most (VmHWM), without its programs.
//
//   sudo node bench/publish.mjs --folder /var/tmp/publish-bench [--machine genericx86-64] [--again] [--case NAME …]
//
// The packages before: those of the lock that come from the security archive, as the suite's main archive has them; after a point release, when that has taken all of them over, the
// kernel before alone, which it still has. Three bases: openssl alone (openssl), everything but the kernel (userland), everything (kernel); those in which nothing is older are left out.
// --again takes the releases that an earlier run has built and published. Needs root, apt, what building images needs, and about 5 GB in the folder, which is kept.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { folder: { type: 'string' }, machine: { type: 'string', default: 'genericx86-64' }, again: { type: 'boolean', default: false }, case: { type: 'string', multiple: true }, inside: { type: 'boolean', default: false } } });
if (!values.folder) throw new Error('--folder DIR says where to work');
const home = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = resolve(values.folder);
const { machine } = values;
mkdirSync(folder, { recursive: true });

function run(argv, options = {}) {
  const [program, ...args] = argv;
  const result = spawnSync(program, args, { maxBuffer: 1 << 30, encoding: 'utf8', ...options });
  if (result.status !== 0) throw new Error(`${argv.join(' ')}: ${result.stdout}${result.stderr ?? result.error}`);
  return result.stdout;
}
/** Not synchronously: the line that counts is in this process. */
function runAside(argv, options = {}) {
  const [program, ...args] = argv;
  return new Promise((done, fail) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data));
    child.once('close', (status) => (status === 0 ? done(said) : fail(new Error(`${argv.join(' ')}: ${said.slice(-2000)}`))));
  });
}

// --- Packages as the suite's main archive has them, asked of apt in a root of its own.
const lock = JSON.parse(readFileSync(join(home, 'machines/locks', `${machine}.lock.json`), 'utf8'));
const apt = join(folder, 'apt');
for (const path of ['etc/preferences.d', 'lists/partial', 'cache/archives/partial']) mkdirSync(join(apt, path), { recursive: true });
writeFileSync(join(apt, 'status'), '');
// The mirror that this machine's apt has.
const [mirror] = run(['apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', 'Label: Debian']).split('\n');
writeFileSync(join(apt, 'etc/sources.list'), `deb [signed-by=${home}/src/providers/debian/keyring/debian-archive.gpg] ${mirror} ${lock.suite} main\n`);
writeFileSync(join(apt, 'apt.conf'), [
  `Dir::Etc "${apt}/etc";`, `Dir::State "${apt}";`, `Dir::State::lists "${apt}/lists";`, `Dir::State::status "${apt}/status";`, `Dir::Cache "${apt}/cache";`,
  `APT::Architecture "${lock.request.architecture}";`, `APT::Architectures { "${lock.request.architecture}"; };`, 'APT::Sandbox::User "root";',
].join('\n'));
const aptEnv = { ...process.env, APT_CONFIG: join(apt, 'apt.conf') };
if (!values.inside) run(['apt-get', 'update', '-q'], { env: aptEnv });

function fromMain(name) {
  const fields = Object.fromEntries(run(['apt-cache', 'show', '--no-all-versions', name], { env: aptEnv }).split('\n\n')[0].split('\n').filter((line) => /^[A-Z]/.test(line)).map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
  return { name: fields.Package, version: fields.Version, architecture: fields.Architecture, archive: 'main', filename: fields.Filename, sizeBytes: Number(fields.Size), sha256: fields.SHA256, depends: fields.Depends ?? '' };
}
const isKernel = ({ name }) => name.startsWith('linux-image-');
/** It depends on the newest kernel, whose name has its version. */
const newestKernel = lock.packages.find((entry) => isKernel(entry) && !/\d+\.\d/.test(entry.name))?.name;
/** The package before, under the name that the kernel's had then. */
function before(entry) {
  const { depends: _, ...old } = isKernel(entry) && entry.name !== newestKernel ? fromMain(/linux-image-[\w.+-]+/.exec(fromMain(newestKernel).depends)[0]) : fromMain(entry.name);
  return { ...old, ...(entry.sets === undefined ? {} : { sets: entry.sets }) };
}
const updated = lock.packages.filter(({ archive, name }) => archive === 'security' && fromMainHas(name));
/** Of the same flavour, the newest below it that the archive has. */
function kernelBefore({ name, sets }) {
  const [, version, flavour] = /^linux-image-([\d.]+)(\D.*)$/.exec(name);
  const number = (text) => text.split('.').reduce((sum, part) => sum * 10_000 + Number(part), 0);
  const others = run(['apt-cache', 'pkgnames', 'linux-image-'], { env: aptEnv }).split('\n').flatMap((one) => {
    const [, found, end] = /^linux-image-([\d.]+)(\D.*)$/.exec(one) ?? [];
    return end === flavour && number(found) < number(version) ? [{ one, found: number(found) }] : [];
  });
  if (others.length === 0) return undefined;
  const { depends: _, ...old } = fromMain(others.toSorted((a, b) => b.found - a.found)[0].one);
  return { ...old, ...(sets === undefined ? {} : { sets }) };
}
const kernelPackage = lock.packages.find((entry) => isKernel(entry) && entry.name !== newestKernel);
function fromMainHas(name) {
  return isKernel({ name }) || spawnSync('apt-cache', ['show', name], { env: aptEnv }).stdout.length > 0;
}

// --- Releases.
const wanted = [
  { name: 'openssl', title: 'openssl alone', version: '0.0.1', old: ({ name }) => ['openssl', 'openssl-provider-legacy', 'libssl3t64'].includes(name) },
  { name: 'userland', title: 'all of them but the kernel', version: '0.0.2', old: (entry) => !isKernel(entry) },
  { name: 'kernel', title: 'all of them with the kernel', version: '0.0.3', old: () => true },
].filter(({ name }) => values.case === undefined || values.case.includes(name));
const cases = [];
function build(version, packages) {
  const project = join(folder, version);
  const file = join(project, 'out', machine, `minke-${machine}-${version}.os.tar`);
  if ((values.again || values.inside) && existsSync(file)) return file;
  mkdirSync(join(project, 'machines/locks'), { recursive: true });
  // The lock's headers would be those of another kernel, and no device loads them.
  writeFileSync(join(project, 'build.config.yaml'), `base: osbuild\nos: { version: ${version} }\nkernelHeaders: false\n`);
  writeFileSync(join(project, 'machines/locks', `${machine}.lock.json`), JSON.stringify({ ...lock, packages }, null, 1));
  process.stderr.write(`building ${version}\n`);
  run([join(home, 'osbuild'), 'image', '--machine', machine, '--locked', '-C', project]);
  return file;
}
const target = build('0.1.0', lock.packages);
for (const one of wanted) {
  const changed = new Map(updated.filter(one.old).map((entry) => [entry.name, before(entry)]));
  const older = one.old(kernelPackage) && !changed.has(kernelPackage.name) ? kernelBefore(kernelPackage) : undefined;
  if (older !== undefined) changed.set(kernelPackage.name, older);
  if (changed.size === 0) continue;
  one.packages = [...changed].map(([name, { version }]) => `${name} ${version} → ${lock.packages.find((entry) => entry.name === name).version}`);
  one.file = build(one.version, lock.packages.map((entry) => changed.get(entry.name) ?? entry).toSorted((a, b) => (a.name < b.name ? -1 : 1)));
  cases.push(one);
}

// --- Registry and engine have a network of their own: nothing of the machine's is touched.
if (!values.inside) {
  const words = ['--net', '--mount', '--', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2), '--inside'];
  process.exit(spawnSync('unshare', words, { stdio: 'inherit' }).status ?? 1);
}

// --- A registry, and the line to it.
const tree = run([join(home, 'osbuild'), 'tools', 'tools-emulation']).trim();
const store = join(folder, 'registry');
if (!values.again) rmSync(store, { recursive: true, force: true });
mkdirSync(store, { recursive: true });
const [registryPort, port] = [5081, 5082];
writeFileSync(join(store, 'config.yml'), JSON.stringify({ version: 0.1, log: { level: 'error' }, storage: { filesystem: { rootdirectory: join(store, 'store') } }, http: { addr: `127.0.0.1:${registryPort}`, relativeurls: true } }));
const registry = spawn(join(tree, 'lib64/ld-linux-x86-64.so.2'), ['--library-path', join(tree, 'usr/lib/x86_64-linux-gnu'), join(tree, 'usr/bin/docker-registry'), 'serve', join(store, 'config.yml')], { stdio: 'ignore' });
let loadedBytes = 0;
const line = createServer((device) => {
  const there = createConnection({ host: '127.0.0.1', port: registryPort });
  there.on('data', (data) => (loadedBytes += data.length));
  device.pipe(there).pipe(device);
  for (const [one, other] of [[device, there], [there, device]]) one.on('error', () => other.destroy()).on('close', () => other.destroy());
}).listen(port, '127.0.0.1');
for (let tries = 0; !(await fetch(`http://127.0.0.1:${registryPort}/v2/`).then(({ ok }) => ok, () => false)); tries += 1) {
  if (tries > 100) throw new Error('the registry does not answer');
  await sleep(200);
}

// --- Published, and pulled by an engine that has the base alone.
const name = `127.0.0.1:${port}/os`;
const publish = async (...words) => JSON.parse((await runAside([join(home, 'osbuild'), 'publish', '--json', '-C', home, ...words])).split('\n').find((text) => text.includes('"type":"published"')));
const engine = (() => {
  run([join(home, 'osbuild'), 'engine', '--arch', 'amd64']);
  return join(home, 'out/engine/amd64/minke');
})();
let daemon;
/** An engine over a data root, for as long as `work` takes; what that gives. */
async function withEngine(data, flags, work) {
  mkdirSync(data, { recursive: true });
  const socket = join(data, 'socket');
  rmSync(socket, { force: true });
  daemon = spawn(engine, ['daemon', '-H', `unix://${socket}`, '--data-root', join(data, 'data'), '--exec-root', join(data, 'run'), '--pidfile', '', '--bridge', 'none', ...flags], { stdio: 'ignore' });
  const end = new Promise((done) => daemon.once('close', done));
  while (!existsSync(socket)) await sleep(50);
  const minke = (...words) => runAside([engine, '-H', `unix://${socket}`, ...words]);
  const pull = async (...words) => {
    const [before, since] = [loadedBytes, performance.now()];
    await minke('pull', ...words);
    return { bytes: loadedBytes - before, seconds: (performance.now() - since) / 1000, mebibytes: Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))[1]) / 1024 };
  };
  try {
    return await work({ minke, pull });
  } finally {
    daemon.kill('SIGTERM');
    await end;
    daemon = undefined;
  }
}
/** What `minke os update` makes of the running slot (src/engine/os/factory-base.ts), of a disk image as it would be flashed. The kernel need not know FAT: its files are copied. */
function lend({ file }, base) {
  const image = file.replace(/\.os\.tar$/, '.img');
  run(['zstd', '-q', '-d', '-f', `${image}.zst`, '-o', image]);
  const { partitions } = JSON.parse(readFileSync(join(dirname(file), 'image.json'), 'utf8'));
  const [boot, root] = ['boot', 'rootA'].map((name) => partitions.find((one) => one.name === name));
  const copy = join(base, '..', 'boot');
  mkdirSync(copy);
  const images = run([join(home, 'osbuild'), 'tools', 'tools-image']).trim();
  run([join(images, 'lib64/ld-linux-x86-64.so.2'), '--library-path', join(images, 'usr/lib/x86_64-linux-gnu'), join(images, 'usr/bin/mcopy'), '-s', '-n', '-i', `${image}@@${boot.startBytes}`, '::/*', copy], { env: { ...process.env, MTOOLS_SKIP_CHECK: '1' } });
  const config = readFileSync(join(copy, 'A/image/config.json'));
  const { layers } = JSON.parse(readFileSync(join(copy, 'A/image/image.json'), 'utf8'));
  mkdirSync(join(base, 'images'), { recursive: true });
  writeFileSync(join(base, 'store.json'), '{"format":1}');
  writeFileSync(join(base, 'images', `${createHash('sha256').update(config).digest('hex')}.json`), config);
  const folders = layers.map(({ diffId, sizeBytes, record }) => {
    const layer = join(base, 'layers', diffId.slice('sha256:'.length, 'sha256:'.length + 16));
    mkdirSync(join(layer, 'diff'), { recursive: true });
    writeFileSync(join(layer, 'layer.json'), JSON.stringify({ diffId, sizeBytes, tarBytes: sizeBytes }));
    symlinkSync(join(copy, 'A/image', record), join(layer, 'tar-record.gz'));
    return join(layer, 'diff');
  });
  const mounts = [[join(copy, 'A'), 'boot'], [copy, 'shared']].map(([from, name]) => {
    mkdirSync(join(folders[1], name));
    run(['mount', '--bind', from, join(folders[1], name)]);
    return join(folders[1], name);
  });
  const device = run(['losetup', '--find', '--show', '--read-only', '--offset', String(root.startBytes), '--sizelimit', String(root.sizeBytes), image]).trim();
  run(['mount', '-t', 'erofs', '-o', 'ro', device, folders[0]]);
  return {
    takeBack() {
      run(['umount', folders[0], ...mounts]);
      run(['losetup', '-d', device]);
      rmSync(image);
    },
  };
}
try {
  console.log('| updated | packages | whole, bytes | delta, bytes | loaded by the device, bytes | of the whole | published in, s | pulled in, s | MB at most | flashed device: loaded, bytes | pulled in, s | MB at most |\n|---|---|---|---|---|---|---|---|---|---|---|---|');
  for (const one of cases) {
    one.published = await publish('--image', one.file, '--deltas', '0', name);
    const begin = performance.now();
    const published = await publish('--image', target, '--deltas', '0', '--from', one.published.name, name);
    const seconds = (performance.now() - begin) / 1000;
    const data = join(folder, 'device');
    rmSync(data, { recursive: true, force: true });
    mkdirSync(data);
    await withEngine(join(data, 'updated'), [], ({ minke, pull }) => pull('--delta=never', one.published.name).then(() => minke('tag', one.published.name, 'minke-os/current')).then(() => minke('rmi', one.published.name)));
    const update = (engine) => engine.pull('--delta=require', published.name).then(async (pulled) => {
      if ((await engine.minke('inspect', '-f', '{{.Id}}', published.name)).trim() !== published.imageId) throw new Error('something else was pulled');
      return pulled;
    });
    one.update = await withEngine(join(data, 'updated'), [], update);
    rmSync(join(data, 'updated'), { recursive: true, force: true });
    const base = lend(one, join(data, 'base'));
    try {
      one.first = await withEngine(join(data, 'flashed'), ['--delta-data-root', join(data, 'base')], update);
    } finally {
      base.takeBack();
    }
    one.delta = published.deltas.find(({ base: from }) => from === one.published.imageId);
    const n = (bytes) => bytes.toLocaleString('en-US');
    console.log(`| ${one.title} | ${one.packages.length} | ${n(published.sizeBytes)} | ${n(one.delta.sizeBytes)} | ${n(one.update.bytes)} | 1/${(published.sizeBytes / one.update.bytes).toFixed(1)} | ${seconds.toFixed(1)} | ${one.update.seconds.toFixed(1)} | ${one.update.mebibytes.toFixed(1)} | ${n(one.first.bytes)} | ${one.first.seconds.toFixed(1)} | ${one.first.mebibytes.toFixed(1)} |`);
    process.stderr.write(`${one.title}: ${one.packages.join(', ')}\n`);
  }
} finally {
  daemon?.kill('SIGTERM');
  registry.kill('SIGKILL');
  line.close();
}
process.exit(0);
