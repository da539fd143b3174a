import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { createVerityTree, formatVerity } from '../../src/engine/verity/index.ts';
import { engineArchitectures, engineTargets } from '../../src/engine-binary/index.ts';
import { isRoot, needToolchain, toolchainRoot } from '../host/support/binary.ts';

const home = new URL('../..', import.meta.url).pathname;
const parameters = formatVerity({ rootHash: 'a'.repeat(64), salt: 'b'.repeat(64), dataBlocks: 46271, hashStart: 46272 });

/** A folder in the toolchain root with the sources; made once, since a compiler takes a second. */
let folder = '';
const inside = (path: string): string => `/${relative(toolchainRoot ?? '', join(folder, path))}`;
function inToolchain(...argv: string[]): void {
  const { status, stderr } = spawnSync('chroot', [toolchainRoot ?? '', ...argv], { encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' } });
  expect(stderr).toBe('');
  expect(status).toBe(0);
}

beforeAll(() => {
  if (toolchainRoot === null || !isRoot) return;
  folder = mkdtempSync(join(toolchainRoot, 'build-verity-'));
  for (const name of ['src/verity-map', 'src/host', 'test/verity-map']) cpSync(join(home, name), join(folder, name), { recursive: true });
  for (const variant of ['sanitized', 'faked']) {
    const fakes = ['open', 'close', 'ioctl', 'mknod', 'unlink'].map((name) => `-D${name}=fake_${name}`);
    const flags = ['-std=gnu11', '-D_GNU_SOURCE', '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'];
    if (variant === 'faked') inToolchain('gcc', ...flags, '-c', inside('test/verity-map/fake-kernel.c'), '-o', inside('fake-kernel.o'));
    inToolchain('gcc', ...flags, ...(variant === 'faked' ? [...fakes, inside('fake-kernel.o')] : []), inside('src/verity-map/minke-verity.c'), '-o', inside(variant));
  }
}, 60_000);
afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});
beforeEach(needToolchain);

/** Under the sanitizers, with the loader and libraries that it was linked with. */
function run(variant: 'sanitized' | 'faked', args: string[], refuses = ''): SpawnSyncReturns<string> {
  const root = toolchainRoot ?? '';
  return spawnSync(`${root}/lib64/ld-linux-x86-64.so.2`, ['--library-path', `${root}/usr/lib/x86_64-linux-gnu`, join(folder, variant), ...args], { encoding: 'utf8', env: { FAKE_REFUSES: refuses, ASAN_OPTIONS: 'exitcode=99', UBSAN_OPTIONS: 'exitcode=98' } });
}

describe('arguments', () => {
  test.each<[string, string[]]>([
    ['none', []],
    ['an unknown word', ['open', 'root', '/dev/vda2', parameters]],
    ['too few', ['map', 'root', '/dev/vda2']],
    ['too many', ['map', 'root', '/dev/vda2', parameters, 'more']],
    ['no name', ['map', '', '/dev/vda2', parameters]],
    ['a name that is a path', ['map', '../root', '/dev/vda2', parameters]],
    ['a name that is long', ['map', 'r'.repeat(32), '/dev/vda2', parameters]],
    ['a name like an option', ['unmap', '-f']],
    ['a device that is no path', ['map', 'root', 'vda2', parameters]],
    ['a device of two words', ['map', 'root', '/dev/vda2 /dev/vda3', parameters]],
    ['a device that is long', ['map', 'root', `/dev/${'x'.repeat(200)}`, parameters]],
    ['no parameters', ['map', 'root', '/dev/vda2', '']],
    ['capitals', ['map', 'root', '/dev/vda2', parameters.replace(/^a/, 'A')]],
    ['a short hash', ['map', 'root', '/dev/vda2', parameters.slice(1)]],
    ['a long hash', ['map', 'root', '/dev/vda2', `a${parameters}`]],
    ['no salt', ['map', 'root', '/dev/vda2', parameters.replace(/b+/, '')]],
    ['no blocks', ['map', 'root', '/dev/vda2', parameters.replace(':46271:', '::')]],
    ['blocks with zeros in front', ['map', 'root', '/dev/vda2', parameters.replace(':46271:', ':046271:')]],
    ['no block at all', ['map', 'root', '/dev/vda2', parameters.replace(':46271:', ':0:')]],
    ['a negative number', ['map', 'root', '/dev/vda2', parameters.replace(':46271:', ':-1:')]],
    ['numbers that overflow', ['map', 'root', '/dev/vda2', parameters.replace(/46271:46272$/, '18446744073709551617:18446744073709551617')]],
    ['a tree in its data', ['map', 'root', '/dev/vda2', parameters.replace(/46272$/, '46270')]],
    ['options behind', ['map', 'root', '/dev/vda2', `${parameters}:1 ignore_corruption`]],
    ['a line more', ['map', 'root', '/dev/vda2', `${parameters}\n`]],
  ])('%s: nothing is done, and it says how it is used', (_, args) => {
    const { status, stdout, stderr } = run('faked', args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain('usage: minke-verity map NAME DEVICE ROOTHASH:SALT:BLOCKS:TREE');
  });

  test('whatever they are made of, no memory is touched that is not there', () => {
    const pieces = ['', ':', 'a'.repeat(64), 'b'.repeat(63), '0', '1', '9'.repeat(13), '9'.repeat(14), ' ', '\t', '\\', '/', '-', 'é', '%s%n'];
    for (let round = 0; round < 60; round += 1) {
      const word = (): string => Array.from(randomBytes(7), (byte) => pieces[byte % pieces.length]).join(':');
      expect(run('faked', ['map', 'root', '/dev/vda2', word()]).status).toBe(2);
    }
  });
});

describe('requests to the kernel', () => {
  const table = `load minke-root version 4 flags 0x1 descriptor 99: 0 ${46271 * 8} verity 1 /dev/vda2 /dev/vda2 4096 4096 46271 46272 sha256 ${'a'.repeat(64)} ${'b'.repeat(64)}`;
  const [open, create, remove] = ['open /dev/mapper/control', 'create minke-root version 4 flags 0 descriptor 99', 'remove minke-root version 4 flags 0 descriptor 99'];
  const steps = [open, create, table, 'suspend minke-root version 4 flags 0 descriptor 99', 'unlink /dev/mapper/minke-root', 'mknod /dev/mapper/minke-root 60600 253:259'];

  test('make the device, load a read-only table, start it, and give it its node', () => {
    const { status, stdout, stderr } = run('faked', ['map', 'minke-root', '/dev/vda2', parameters]);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout.trim().split('\n')).toEqual(steps);
  });

  test.each([
    ['open', 1, /^minke-verity: \/dev\/mapper\/control: No such file/],
    ['create', 2, /cannot make minke-root: Device or resource busy/],
    ['load', 3, /takes no dm-verity table for \/dev\/vda2 \(its log says why\): Invalid argument/],
    ['suspend', 4, /cannot start minke-root/],
    ['mknod', 6, /cannot make \/dev\/mapper\/minke-root: Read-only/],
  ] as const)('%s: what was made is removed when it is refused, and it says why', (refuses, done, complaint) => {
    const { status, stdout, stderr } = run('faked', ['map', 'minke-root', '/dev/vda2', parameters], refuses);
    expect(status).toBe(1);
    expect(stderr).toMatch(complaint);
    expect(stdout.trim().split('\n')).toEqual([...steps.slice(0, done), ...(done > 2 ? [remove] : [])]);
  });

  test('remove the device and its node', () => {
    expect(run('faked', ['unmap', 'minke-root'])).toMatchObject({ status: 0, stderr: '', stdout: `${open}\n${remove}\nunlink /dev/mapper/minke-root\n` });
    expect(run('faked', ['unmap', 'minke-root'], 'remove')).toMatchObject({ status: 1, stderr: 'minke-verity: cannot remove minke-root: Device or resource busy\n' });
  });
});

test('maps a file system on this kernel, and a block with one other bit cannot be read', (context) => {
  if (!isRoot || !existsSync('/dev/mapper/control')) context.skip('this kernel has no /dev/mapper/control: the suite damage of `osbuild test` does it on a board');
  const work = mkdtempSync(join(tmpdir(), 'minke-verity-'));
  const name = `minke-test-${process.pid}`;
  const sh = (script: string): SpawnSyncReturns<string> => spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  const data = randomBytes(300 * 4096);
  const salt = createHash('sha256').update(data).digest();
  const builder = createVerityTree(300, salt, (...parts) => createHash('sha256').update(parts[0]).update(parts[1]).digest());
  builder.add(data);
  const { tree, rootHash } = builder.finish();
  writeFileSync(join(work, 'disk'), Buffer.concat([data, tree]));
  const loop = sh(`losetup --find --show ${work}/disk`).stdout.trim();
  try {
    const mapped = run('sanitized', ['map', name, loop, formatVerity({ rootHash, salt: salt.toString('hex'), dataBlocks: 300, hashStart: 300 })]);
    if (/dm-verity table/.test(mapped.stderr)) context.skip('this kernel has no dm-verity');
    expect(mapped).toMatchObject({ status: 0, stderr: '' });
    expect(sh(`sha256sum /dev/mapper/${name} | cut -d' ' -f1`).stdout.trim()).toBe(salt.toString('hex'));
    sh(`printf '\\${((data[200 * 4096] ?? 0) ^ 1).toString(8).padStart(3, '0')}' | dd of=${loop} bs=4096 seek=200 conv=notrunc,fsync; echo 3 >/proc/sys/vm/drop_caches`);
    expect(sh(`dd if=/dev/mapper/${name} of=/dev/null bs=4096 skip=200 count=1`).status).not.toBe(0);
  } finally {
    run('sanitized', ['unmap', name]);
    sh(`losetup -d ${loop}`);
    rmSync(work, { recursive: true });
  }
});

describe.each(engineArchitectures)('for %s', (arch) => {
  test('is one small static program, the same bytes each time', (context) => {
    const compilerPackage = engineTargets[arch].compilerPackage.replace(/^gcc-/, '');
    const compiler = arch === 'amd64' ? 'gcc' : `${compilerPackage}-gcc`;
    if (!existsSync(join(toolchainRoot ?? '', 'usr/bin', compiler))) context.skip(`the toolchain root has no ${compiler}`);
    const build = (out: string): Buffer => {
      mkdirSync(join(folder, out));
      inToolchain('make', '--silent', '-C', inside('src/verity-map'), `ARCH=${arch}`, `HOST=${inside('src/host')}`, `OUT=${inside(out)}`);
      return readFileSync(join(folder, out, 'minke-verity'));
    };
    const program = build(`${arch}-1`);
    expect({ bits: program[4] === 2 ? 64 : 32, machine: program.readUInt16LE(18) }).toEqual(engineTargets[arch].elf);
    expect(program.toString('latin1')).not.toMatch(/\/ld-linux/);
    expect(program.length).toBeLessThan(1024 * 1024);
    expect(build(`${arch}-2`).equals(program)).toBe(true);
    if (arch === 'amd64' || arch === 'i386') expect(spawnSync(join(folder, `${arch}-1/minke-verity`), [], { encoding: 'utf8' })).toMatchObject({ status: 2, stdout: '' });
  }, 60_000);
});
