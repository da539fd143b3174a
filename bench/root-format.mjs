#!/usr/bin/env node
// Measures ways to pack a machine's root: bytes of the slot, bytes of the download, CPU to pack, time to read all of it back.
//
//   node bench/root-format.mjs [--machine qemuarm64] [--runs 3]
//
// Takes the root from the cache (a build of the image has put it there) and mkfs.erofs from our own tools tree. The variants of
// one run are measured in turn, so that other work on the machine meets all of them alike; the median of each counts.
import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { cpus, homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { $ } from 'zx';

const { values } = parseArgs({ options: { machine: { type: 'string', default: 'qemuarm64' }, runs: { type: 'string', default: '3' } } });
const home = join(dirname(fileURLToPath(import.meta.url)), '..');
const cache = process.env.OSBUILD_CACHE_DIR ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'osbuild');
$.verbose = false;
$.shell = '/bin/bash';

const variants = ['lz4', 'lz4hc,level=3', 'lz4hc,level=6', 'lz4hc', 'lz4hc,level=12', 'zstd,level=3', 'zstd,level=9'];

const tree = (await $`${join(home, 'osbuild')} tools tools-image`).stdout.trim();
const tasks = (await $`${join(home, 'osbuild')} graph --machine ${values.machine} --json`).stdout.trim().split('\n').map((line) => JSON.parse(line));
const { key } = tasks.find(({ id }) => id === `debian/${values.machine}/root`);
const result = JSON.parse(await readFile(join(cache, 'ac', key.slice(0, 2), `${key}.json`), 'utf8'));
const { sha256 } = result.files['rootfs.tar'];
const tar = join(cache, 'cas', sha256.slice(0, 2), sha256);

/** The program of the tools tree, by the tree's own loader and libraries. */
const tool = (name) => [join(tree, 'lib64/ld-linux-x86-64.so.2'), '--library-path', join(tree, 'usr/lib/x86_64-linux-gnu'), join(tree, 'usr/bin', name)];

const work = await mkdtemp(join(tmpdir(), 'osbuild-bench-'));
const slot = join(work, 'root.erofs');

async function timed(command) {
  const report = join(work, 'time');
  await $`TIMEFORMAT='%R %U %S'; { time { ${command} > /dev/null 2>&1; }; } 2> ${report}`;
  const [wall, user, system] = (await readFile(report, 'utf8')).trim().split('\n').at(-1).split(' ').map(Number);
  return { wall, cpu: user + system };
}

/** zstd as the disk image is packed with it. */
async function packedBytes() {
  await $`${tool('zstd')} -q -3 -T0 -f ${slot} -o ${slot}.zst`;
  return (await stat(`${slot}.zst`)).size;
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const rows = new Map(variants.map((variant) => [variant, { wall: [], cpu: [], read: [] }]));
for (let run = 0; run < Number(values.runs); run++) {
  for (const variant of variants) {
    const row = rows.get(variant);
    await rm(slot, { force: true });
    const packing = await timed([...tool('mkfs.erofs'), '--quiet', '--tar=f', `-z${variant}`, '-C65536', '-T0', '--workers=2', slot, tar]);
    row.wall.push(packing.wall);
    row.cpu.push(packing.cpu);
    row.read.push((await timed([...tool('fsck.erofs'), '--extract', slot])).cpu);
    if (run === 0) Object.assign(row, { bytes: (await stat(slot)).size, packed: await packedBytes() });
  }
}
await rm(work, { recursive: true, force: true });

const megabytes = (count) => (count / 1e6).toFixed(1);
const file = await open(tar);
const tarBytes = (await file.stat()).size;
await file.close();
console.log(`Root of ${values.machine}, a tar of ${megabytes(tarBytes)} MB, clusters of 64 KiB, two workers; ${cpus().length} × ${cpus()[0].model.trim()}; medians of ${values.runs}.\n`);
console.log('| compression | packing: seconds | CPU-seconds | slot | slot in zstd -3, as downloaded | unpacking all: CPU-seconds |\n|---|---|---|---|---|---|');
for (const [variant, row] of rows) {
  console.log(`| ${variant} | ${median(row.wall).toFixed(1)} | ${median(row.cpu).toFixed(1)} | ${megabytes(row.bytes)} MB | ${megabytes(row.packed)} MB | ${median(row.read).toFixed(2)} |`);
}
