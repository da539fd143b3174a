import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { execa } from 'execa';
import { describe, expect, test } from 'vitest';

import { engineTargets } from '../../src/engine-binary/index.ts';
import { archs, type Arch } from '../../src/model/index.ts';
import { hasProgram, need } from '../support/need.ts';

// The very binaries that images carry, made by `osbuild engine --arch all`.
const folder = process.env['OSBUILD_ENGINE_FOLDER'] ?? '';
const megabyte = 1_000_000;

function emulator(arch: Arch): string[] | null {
  if (arch === 'amd64' || arch === 'i386') return [];
  const { qemuUser } = engineTargets[arch];
  const program = [`${qemuUser}-static`, qemuUser].find(hasProgram);
  const cpu = arch === 'armv5e' ? ['-cpu', 'arm926'] : arch === 'armv6l' ? ['-cpu', 'arm1176'] : [];
  return program === undefined ? null : [program, ...cpu];
}

describe.each([...archs])('the engine for %s', (arch) => {
  const binary = join(folder, arch, 'minke');

  test('is one static binary of at most 5 MB', (context) => {
    need(context, folder !== '', 'wants binaries in OSBUILD_ENGINE_FOLDER; a plain `npm test` makes them');
    expect(existsSync(binary)).toBe(true);
    expect(statSync(binary).size).toBeLessThanOrEqual(5 * megabyte);
  });

  test('says its version and its help', { timeout: 120_000 }, async (context) => {
    need(context, folder !== '', 'wants binaries in OSBUILD_ENGINE_FOLDER; a plain `npm test` makes them');
    const prefix = emulator(arch);
    if (prefix === null) return context.skip(`needs ${engineTargets[arch].qemuUser} (Debian package qemu-user-static)`);
    const [program = '', ...words] = [...prefix, binary];
    expect((await execa(program, [...words, '--version'])).stdout).toMatch(/^minke version \d+\.\d+\.\d+\+minke/);
    expect((await execa(program, [...words, 'run', '--help'])).stdout).toContain('--publish');
  });
});
