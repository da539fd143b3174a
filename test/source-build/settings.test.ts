import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { notTakenUp } from '../../src/source-build/configure.ts';
import { builtObject } from '../../src/source-build/progress.ts';
import { declaredNames, readSettings, strayLines, unmetSettings } from '../../src/source-build/settings.ts';

const home = new URL('../..', import.meta.url).pathname;

describe('fragments against the configuration that came out', () => {
  const config = ['# Automatically generated', 'CONFIG_SMP=y', 'CONFIG_EXT4_FS=m', '# CONFIG_AUDIT is not set', 'CONFIG_LSM="landlock,yama"', 'CONFIG_NR_CPUS=2', 'CONFIG_CRC32=y', ''].join('\n');
  const unmet = (...texts: string[]): string[] => unmetSettings(texts.map((text, index) => ({ name: `${index}.config`, text })), config).map(({ name, wanted, got, fragment }) => `${fragment} ${name} ${wanted} ${got}`);

  test('that has all of them', () => {
    expect(unmet('CONFIG_SMP=y\nCONFIG_EXT4_FS=m\n# CONFIG_AUDIT is not set\n', 'CONFIG_LSM="landlock,yama"\nCONFIG_NR_CPUS=2\n')).toEqual([]);
  });

  test('a module that is built in is there; one that was to be built in and is a module is not', () => {
    expect(unmet('CONFIG_CRC32=m\n')).toEqual([]);
    expect(unmet('CONFIG_EXT4_FS=y\n')).toEqual(['0.config CONFIG_EXT4_FS y m']);
  });

  test('names what is missing, what has another value, and what was to be off', () => {
    expect(unmet('CONFIG_NO_SUCH=y\nCONFIG_NR_CPUS=4\n# CONFIG_SMP is not set\n# CONFIG_ABSENT is not set\n')).toEqual(['0.config CONFIG_NO_SUCH y n', '0.config CONFIG_NR_CPUS 4 2', '0.config CONFIG_SMP n y']);
  });

  test('the last value counts, and its fragment is named', () => {
    expect(unmet('CONFIG_SMP=y\nCONFIG_NR_CPUS=8\n', '# CONFIG_SMP is not set\nCONFIG_NR_CPUS=2\n')).toEqual(['1.config CONFIG_SMP n y']);
  });

  test('the message tells a setting that does not exist from one that was not taken up', () => {
    const known = new Set(declaredNames('config SMP\n\tbool\nmenuconfig NET\n  config INNER  \nconfigure X\n'));
    expect([...known]).toEqual(['CONFIG_SMP', 'CONFIG_NET', 'CONFIG_INNER']);
    const error = notTakenUp([{ name: 'CONFIG_SMP', wanted: 'y', got: 'n', fragment: 'a.config' }, { name: 'CONFIG_SPM', wanted: 'y', got: 'n', fragment: 'b.config' }], known);
    expect(error).toMatchObject({ code: 'OSB_KERNEL_INCOMPLETE', message: 'The configuration did not take up CONFIG_SMP=y of a.config (it is n), CONFIG_SPM=y of b.config (there is no such setting).' });
  });
});

test('lines that Kconfig passes over in silence are found', () => {
  expect(strayLines('# A comment.\nCONFIG_A=y\nCONFIG_B = y\n# CONFIG_C is not sett\nCONFIG_D="a b"\nSMP=y\n# CONFIG_E is not set\n')).toEqual([
    { line: 3, text: 'CONFIG_B = y' },
    { line: 4, text: '# CONFIG_C is not sett' },
    { line: 6, text: 'SMP=y' },
  ]);
});

test('what kbuild says it compiled', () => {
  expect(['  CC      init/main.o', '  CC [M]  fs/ext4/super.o', '  DTC     arch/arm/boot/dts/x.dtb', '  LD      vmlinux', 'make[1]: Entering directory'].map(builtObject)).toEqual(['init/main.o', 'fs/ext4/super.o', 'arch/arm/boot/dts/x.dtb', null, null]);
});

describe('the fragments that come with the program', () => {
  const files = ['recipes/kernel/fragments', 'machines/kernel', 'machines/u-boot'].flatMap((folder) => readdirSync(join(home, folder)).map((name) => `${folder}/${name}`));

  test.each(files)('%s: every line is a setting or a comment, and none is there twice', (file) => {
    const text = readFileSync(join(home, file), 'utf8');
    expect(strayLines(text)).toEqual([]);
    expect(readSettings(text).size).toBe(text.split('\n').filter((line) => /^(CONFIG_|# CONFIG_\w+ is not set)/.test(line)).length);
  });
});
