// What it would cost to send amd64's kernel as a delta: node bench/kernel-repack.mjs <old vmlinuz> <new vmlinuz>
//
// Debian compresses the program inside its vmlinuz with zstd. Two of them have nothing in common, what they unpack to has much. A device that unpacks its own, applies a
// delta and packs the result again must come to the same bytes, since they are hashed (and signed). Printed: sizes; whether `zstd --ultra -22` of this machine comes to
// the same bytes, in what time and memory; a delta of what is packed, as `zstd --patch-from` makes it. Wants zstd, of the Debian that built the kernel.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

const paths = process.argv.slice(2);
if (paths.length !== 2) {
  process.stderr.write('usage: node bench/kernel-repack.mjs <old vmlinuz> <new vmlinuz>\n');
  process.exit(2);
}
const work = mkdtempSync(join(tmpdir(), 'osbuild-repack-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

/** The packed program: Documentation/arch/x86/boot.rst, setup_sects, payload_offset, payload_length; its last four bytes are the unpacked size. */
function payload(path) {
  const file = readFileSync(path);
  if (file.toString('latin1', 0x202, 0x206) !== 'HdrS') throw new Error(`${path}: no kernel for x86`);
  const start = ((file[0x1f1] || 4) + 1) * 512 + file.readUInt32LE(0x248);
  const packed = file.subarray(start, start + file.readUInt32LE(0x24c) - 4);
  if (packed.readUInt32LE(0) !== 0xfd2fb528) throw new Error(`${path}: not packed with zstd`);
  return packed;
}
const unpack = (packed, name) => {
  writeFileSync(join(work, name), execFileSync('zstd', ['-dc', '--long=27'], { input: packed, maxBuffer: 1 << 30 }));
  return join(work, name);
};
const [oldPacked, newPacked] = paths.map(payload);
const [oldFile, newFile] = [unpack(oldPacked, 'old'), unpack(newPacked, 'new')];

const started = performance.now();
const input = openSync(newFile, 'r');
// The kernel's build packs from a pipe: without the size in the frame's head.
const packing = spawnSync('/usr/bin/time', ['-f', '%M', 'sh', '-c', `cat | zstd --ultra -22 -c > ${join(work, 'again')}`], { stdio: [input, 'inherit', 'pipe'], encoding: 'utf8' });
const packSeconds = (performance.now() - started) / 1000;
if (packing.status !== 0) throw new Error(packing.stderr);
execFileSync('zstd', ['-q', '-19', '--long=27', `--patch-from=${oldFile}`, newFile, '-o', join(work, 'patch')]);

const same = newPacked.equals(readFileSync(join(work, 'again')));
process.stdout.write(`| what | bytes |
|---|---|
| the new kernel, packed | ${newPacked.length} |
| unpacked | ${statSync(newFile).size} |
| delta of the packed ones | ${(execFileSync('zstd', ['-q', '-19', '--long=27', `--patch-from=${write('op', oldPacked)}`, '-c', write('np', newPacked)], { maxBuffer: 1 << 30 })).length} |
| delta of the unpacked ones | ${statSync(join(work, 'patch')).size} |

${execFileSync('zstd', ['--version'], { encoding: 'utf8' }).match(/v[\d.]+/)?.[0]}: packed again in ${packSeconds.toFixed(1)} s with ${Math.round(Number(packing.stderr.trim().split('\n').at(-1)) / 1000)} MB, ${same ? 'the same bytes' : 'other bytes'}.
`);

function write(name, bytes) {
  writeFileSync(join(work, name), bytes);
  return join(work, name);
}
