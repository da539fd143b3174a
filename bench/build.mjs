#!/usr/bin/env node
// Measures builds: cold, warm, one file of a recipe changed, one package added; seconds, CPU-seconds, bytes downloaded,
// disk used; and mkosi with the same packages in the same run. Prints a Markdown table.
//
//   node bench/build.mjs [--machine genericx86-64] [--runs 3] [--mkosi]
//
// It works on a project of its own in a temporary folder, with a cache of its own: nothing of the caller's is touched.
import { cpus, tmpdir } from 'node:os';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { $ } from 'zx';

const { values } = parseArgs({
  options: { machine: { type: 'string', default: 'genericx86-64' }, runs: { type: 'string', default: '3' }, mkosi: { type: 'boolean', default: false } },
});
const home = join(dirname(fileURLToPath(import.meta.url)), '..');
$.verbose = false;
$.shell = '/bin/bash';

const work = await mkdtemp(join(tmpdir(), 'osbuild-bench-'));
const project = join(work, 'project');
const cache = join(work, 'cache');

/** Runs a command under bash's `time`, which counts the CPU of all it waited for. */
async function timed(command, env = {}) {
  const report = join(work, 'time');
  const result = await $({ env: { ...process.env, ...env }, nothrow: true })`TIMEFORMAT='%R %U %S'; { time { ${command} > ${join(work, 'out')} 2>&1; }; } 2> ${report}`;
  const [wall, user, system] = (await readFile(report, 'utf8')).trim().split('\n').at(-1).split(' ').map(Number);
  if (result.exitCode !== 0) throw new Error(`${command.join(' ')} failed:\n${(await readFile(join(work, 'out'), 'utf8')).slice(-2000)}`);
  return { wall, cpu: user + system };
}

const build = (...extra) => timed([join(home, 'osbuild'), 'image', '--machine', values.machine, '-C', project, ...extra], { OSBUILD_CACHE_DIR: cache });
const bytes = async (path) => Number((await $`du -sb ${path}`).stdout.split('\t')[0]);
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const megabytes = (count) => (count / 1e6).toFixed(0);

/** A .deb is stored once and never changed, so the bytes of all of them are the bytes that were downloaded. */
async function downloaded() {
  const { stdout } = await $`grep -laE '^!<arch>' -r ${join(cache, 'cas')} || true`;
  const files = stdout.trim().split('\n').filter(Boolean);
  return files.length === 0 ? 0 : Number((await $({ input: files.join('\0') })`du -cb --files0-from=- | tail -1`).stdout.split('\t')[0]);
}

const rows = [];
const note = (what, results, extra = '') => {
  rows.push(`| ${what} | ${median(results.map((r) => r.wall)).toFixed(1)} | ${median(results.map((r) => r.cpu)).toFixed(1)} | ${extra} |`);
  console.error(rows.at(-1));
};
const repeat = async (count, run) => {
  const results = [];
  for (let i = 0; i < count; i++) results.push(await run(i));
  return results;
};

const runs = Number(values.runs);
await $`${join(home, 'osbuild')} init ${project}`;
const greeting = join(project, 'recipes/hello/files/usr/share/hello/greeting');
const recipe = join(project, 'recipes/hello/recipe.yaml');

const cold = await build();
note('cold: empty cache', [cold], `${megabytes(await downloaded())} MB downloaded, ${megabytes(await bytes(cache))} MB of cache`);
note('warm: nothing changed', await repeat(runs, () => build()));
note('one file of one recipe changed', await repeat(runs, async (i) => {
  await writeFile(greeting, `hello ${i}\n`);
  return build();
}));
const before = await downloaded();
await writeFile(recipe, (await readFile(recipe, 'utf8')).replace('debian: []', 'debian: [htop]'));
const added = await build();
const more = (await downloaded()) - before;
if (more === 0) throw new Error('htop has become part of the image: add another package here');
note('one package added (htop)', [added], `${(more / 1e6).toFixed(1)} MB downloaded`);

const image = JSON.parse(await readFile(join(project, 'out', values.machine, 'manifest.json'), 'utf8'));
const { stdout: listing } = await $`ls ${join(project, 'out', values.machine)}`;
const compressed = await bytes(join(project, 'out', values.machine, listing.split('\n').find((name) => name.endsWith('.img.zst'))));

/**
 * A root with Debian's mkosi in it, made before the clock runs: mkosi has its tools at hand, where our cold build fetches its own.
 * Wants root and mmdebstrap.
 */
async function mkosiRoot(mirror) {
  const root = join(work, 'mkosi-root');
  const tools = 'mkosi,systemd-repart,systemd,systemd-boot,systemd-ukify,erofs-utils,squashfs-tools,zstd,kmod,cpio,dosfstools,mtools,e2fsprogs,uidmap,debian-archive-keyring,ca-certificates,fdisk';
  await $`mmdebstrap --quiet --variant=apt --include=${tools} trixie ${root} ${mirror}`;
  return root;
}

/** The archives that our build takes packages from, in the place where mkosi lets a list of ours stand for its own. */
async function sourcesTree(mirror, security) {
  const stanza = (uri, suites) => `Types: deb\nURIs: ${uri}\nSuites: ${suites}\nComponents: main non-free-firmware\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n`;
  const text = [stanza(mirror, 'trixie trixie-updates'), ...(security === undefined ? [] : [stanza(security, 'trixie-security')])].join('\n');
  const folder = join(work, 'mkosi-root/sources/etc/apt/sources.list.d');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'mkosi.sources'), text);
}

/** mkosi wants to be at a real mount point, so the root becomes one, in a mount namespace of its own. */
async function mkosi(root, packages, words) {
  const script = join(work, 'mkosi.sh');
  const all = ['--distribution', 'debian', '--release', 'trixie', '--sandbox-tree', '/sources', '--format', 'disk', '--compress-output', 'zst', ...words];
  const quoted = [...all, ...packages.flatMap((name) => ['--package', name])].map((word) => `'${word}'`).join(' ');
  await writeFile(script, `set -e
mount --bind ${root} ${root}; cd ${root}
mount --rbind /dev dev; mount --rbind /proc proc; mount --rbind /sys sys; mount -t tmpfs tmpfs run
cat /etc/resolv.conf > etc/resolv.conf
rm -rf work var/cache/mkosi root/.cache; mkdir -p old work; pivot_root . old; umount -l old
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb sh -c "cd /work && exec mkosi ${quoted} --output image --force build"
`);
  return timed(['unshare', '--mount', '--propagation', 'private', 'sh', script]);
}

/** The archives of the host's own apt, which both use. */
async function hostArchives() {
  const { stdout } = await $`apt-get indextargets --format ${'$(REPO_URI)'} 'Created-By: Packages'`;
  const uris = [...new Set(stdout.split('\n').map((line) => line.replace(/\/$/, '')))];
  const mirror = uris.find((uri) => uri.endsWith('/debian'));
  if (mirror === undefined) throw new Error('the apt of this host names no Debian mirror');
  return { mirror, security: uris.find((uri) => uri.endsWith('/debian-security')) };
}

if (values.mkosi) {
  // The numbered kernel comes with the one that depends on it, in the number of the day.
  const packages = image.packages.map(({ name }) => name).filter((name) => name !== 'jq' && !/^linux-image-\d/.test(name));
  const { mirror, security } = await hostArchives();
  const root = await mkosiRoot(mirror);
  await sourcesTree(mirror, security);
  const version = (await $`chroot ${root} mkosi --version`).stdout.trim();
  const variants = [
    ['a bootable image: kernel, initrd, systemd-boot', ['--bootable', 'yes', '--bootloader', 'systemd-boot', '--package', 'systemd-boot']],
    ['the root alone: no initrd, no boot loader', ['--bootable', 'no']],
  ];
  for (const [what, words] of variants) {
    const result = await mkosi(root, packages, words);
    const size = (await $`stat -L -c %s ${join(root, 'work', 'image.raw.zst')}`).stdout.trim();
    note(`${version}, the same packages, tools at hand; ${what}`, [result], `${megabytes(Number(size))} MB compressed; osbuild cold / mkosi: ${(cold.wall / result.wall).toFixed(2)} of the time, ${(cold.cpu / result.cpu).toFixed(2)} of the CPU`);
  }
}

console.log(`Machine: ${cpus().length} × ${cpus()[0].model.trim()}, Node.js ${process.versions.node}. Image: ${values.machine}, ${megabytes(compressed)} MB compressed.\n`);
console.log('| build | seconds | CPU-seconds | |\n|---|---|---|---|');
console.log(rows.join('\n'));
await rm(work, { recursive: true, force: true });
