import { readFile, appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { describe, expect, test } from 'vitest';

import { hasProgram, need } from '../../support/need.ts';
import { home } from './support.ts';

// The sources of a kernel (an unpacked linux-source, or a checkout): what board makers' kernels begin with is mainline's defconfig of the chip.
const source = process.env['OSBUILD_LINUX_DIR'] ?? '';
const fragments = join(home, 'layers/meta-minke/recipes-kernel/linux/files');
const boards = [
  { arch: 'arm', defconfig: 'bcm2835_defconfig', own: ['minke-raspberrypi.cfg'] },
  { arch: 'arm', defconfig: 'omap2plus_defconfig', own: ['minke-am335x.cfg'] },
  { arch: 'arm64', defconfig: 'defconfig', own: ['minke-raspberrypi.cfg'] },
  { arch: 'x86', defconfig: 'x86_64_defconfig', own: [] },
  { arch: 'x86', defconfig: 'i386_defconfig', own: ['minke-edison.cfg'] },
];

const settings = (text: string): Map<string, string> => new Map([...text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));

describe('Kconfig takes up what meta-minke asks for', () => {
  test.for(boards)('on top of $defconfig ($arch)', { timeout: 600_000 }, async ({ arch, defconfig, own }, context) => {
    need(context, source !== '', 'OSBUILD_LINUX_DIR names no sources of a kernel');
    const missing = ['make', 'gcc', 'flex', 'bison'].filter((name) => !hasProgram(name));
    need(context, missing.length === 0, `no ${missing.join(', ')} on this machine`);
    const folder = await mkdtemp(join(tmpdir(), 'osbuild-kconfig-'));
    try {
      const make = (...targets: string[]) => execa('make', ['-s', '-C', source, `ARCH=${arch}`, `O=${folder}`, ...targets], { extendEnv: false, env: { PATH: process.env['PATH'] ?? '' } });
      await make(defconfig);
      const texts = await Promise.all(['minke.cfg', ...own].map((name) => readFile(join(fragments, name), 'utf8')));
      await appendFile(join(folder, '.config'), texts.join('\n'));
      await make('olddefconfig');
      const got = settings(await readFile(join(folder, '.config'), 'utf8'));
      const { stdout } = await execa('grep', ['-rhoE', '--include=Kconfig*', '^(menu)?config [A-Z0-9_]+', source]);
      const known = new Set(stdout.split('\n').map((line) => `CONFIG_${line.split(' ')[1]}`));
      const wanted = [...settings(texts.join('\n'))].filter(([name]) => known.has(name) && !(name === 'CONFIG_CPUSETS' && got.get('CONFIG_SMP') !== 'y'));
      // What is wanted as a module may be built in.
      expect(wanted.filter(([name, value]) => got.get(name) !== value && !(value === 'm' && got.get(name) === 'y'))).toEqual([]);
      expect(wanted.length).toBeGreaterThan(200);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
