import { existsSync, openSync, readSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { engineArchitectures, engineTargets, type EngineArchitecture } from '../../src/engine-binary/index.ts';
import { checksOf, needToolchain, run, temporaryFolder, testPrograms } from './support/binary.ts';

function emulator(arch: EngineArchitecture): string[] | null {
  if (arch === 'amd64' || arch === 'i386') return [];
  const name = engineTargets[arch].qemuUser;
  const path = ['/usr/bin', '/usr/local/bin'].flatMap((folder) => [`${folder}/${name}-static`, `${folder}/${name}`]).find((candidate) => existsSync(candidate));
  return path === undefined ? null : arch === 'armv5e' ? [path, '-cpu', 'arm926'] : arch === 'armv6l' ? [path, '-cpu', 'arm1176'] : [path];
}

/** What qemu-user cannot do: netlink in other namespaces and openat2 are the kernel's matter and are tested natively. */
const portable = ['bytes', 'compress', 'crypto', 'fs', 'root', 'timers'];

describe.each(engineArchitectures)('the engine for %s', (arch) => {
  let folder = temporaryFolder();
  beforeEach((context) => {
    needToolchain(context);
    if (emulator(arch) === null) context.skip(`needs ${engineTargets[arch].qemuUser} (Debian package qemu-user or qemu-user-static)`);
    folder = temporaryFolder();
  });
  afterEach(() => folder.remove());

  test('is a small static program for its processor', async () => {
    const binary = `${testPrograms({ arch })}/minke`;
    const header = Buffer.alloc(64);
    readSync(openSync(binary, 'r'), header, 0, 64, 0);
    expect(header.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
    expect({ bits: header[4] === 2 ? 64 : 32, machine: header.readUInt16LE(18) }).toEqual(engineTargets[arch].elf);
    expect(programHeaderTypes(binary, header)).not.toContain(3); // PT_INTERP: no dynamic loader
    expect(statSync(binary).size).toBeLessThan(5 * 1024 * 1024);
  }, 600_000);

  test('runs what does not need the kernel of its own', async () => {
    const binary = `${testPrograms({ arch })}/minke`;
    for (const name of portable) {
      const args = name === 'tree' ? [name, folder.path, '500'] : [name, `${folder.path}`];
      expect((await checksOf(binary, args, { wrapper: emulator(arch) ?? [], timeoutMs: 170_000 })).length).toBeGreaterThan(3);
    }
  }, 600_000);

  test('starts children', async () => {
    const result = await run(`${testPrograms({ arch })}/minke`, ['child-smoke'], { wrapper: emulator(arch) ?? [] });
    expect(result).toMatchObject({ code: 0, stdout: 'child said: hello\nno such: ENOENT execve\n' });
  }, 600_000);
});

function programHeaderTypes(path: string, header: Buffer): number[] {
  const wide = header[4] === 2;
  const [offset, size, count] = wide
    ? [Number(header.readBigUInt64LE(32)), header.readUInt16LE(54), header.readUInt16LE(56)]
    : [header.readUInt32LE(28), header.readUInt16LE(42), header.readUInt16LE(44)];
  const table = Buffer.alloc(size * count);
  readSync(openSync(path, 'r'), table, 0, table.length, offset);
  return Array.from({ length: count }, (_, i) => table.readUInt32LE(i * size));
}
