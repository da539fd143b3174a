import { describe, expect, test } from 'vitest';

import { nearest, parseYaml } from '../../src/config/index.ts';
import { OsbuildError } from '../../src/model/index.ts';

const machine = `description: A board
arch: aarch64
kernel:
  debian: { package: linux-image-arm64, architecture: arm64 }
boot:
  method: u-boot
  package: { package: u-boot-rpi, architecture: arm64 }
  file: usr/lib/u-boot/rpi_3/u-boot.bin
disk:
  table: gpt
`;

function faults(text: string): string[] {
  try {
    parseYaml('machine', text, 'm.yaml');
  } catch (error) {
    if (error instanceof OsbuildError && error.code === 'OSB_CONFIG_INVALID') return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('a machine file', () => {
  test('that is right is taken with its defaults', () => {
    expect(faults(machine)).toEqual([]);
    expect(parseYaml('machine', machine, 'm.yaml').disk.root).toMatch(/MiB$/);
  });

  test('with an unknown key names line, column, path and the nearest word', () => {
    expect(faults(machine.replace('table: gpt', 'tabel: gpt'))).toEqual([
      'm.yaml:10:3: disk: the key "table" is missing',
      'm.yaml:10:3: disk.tabel: unknown key "tabel" (did you mean "table"?)',
    ]);
  });

  test('with a wrong word names the nearest allowed one', () => {
    expect(faults(machine.replace('arch: aarch64', 'arch: arch64'))).toEqual(['m.yaml:2:7: arch: "arch64" is not allowed here (did you mean "aarch64"?)']);
  });

  test('with a wrong type says what is wanted and what stands there', () => {
    expect(faults(`${machine}aliases: pi\n`)).toEqual(['m.yaml:11:10: aliases: must be a list, not the text "pi"']);
  });

  test('with a wrong union word speaks of that word alone', () => {
    expect(faults(machine.replace('method: u-boot', 'method: uboot'))).toEqual(['m.yaml:6:11: boot.method: "uboot" is not allowed here (did you mean "u-boot"?)']);
  });

  test('with a key of the other union branch names it', () => {
    expect(faults(machine.replace('  file:', '  efiName:'))).toEqual([
      'm.yaml:6:3: boot: the key "file" is missing',
      'm.yaml:8:3: boot.efiName: unknown key "efiName" (did you mean "file"?)',
    ].map((line) => expect.stringContaining(line.split(' (')[0] ?? line)));
  });

  test('with no origin of the kernel, or with two of the boot loader, says which there are', () => {
    expect(faults(machine.replace('debian: { package: linux-image-arm64, architecture: arm64 }', 'deviceTrees: [a.dtb]'))).toEqual([expect.stringMatching(/^m\.yaml:4:3: kernel: one of the keys debian, source and artifact is needed \(debian: a binary package of Debian; source: [^;]*; artifact: an archive of its maker\)/)]);
    expect(faults(machine.replace('  file:', '  source: { package: u-boot, architecture: arm64, base: rpi_3_defconfig }\n  file:'))).toEqual([expect.stringContaining('boot: only one of the keys package and source can be there')]);
  });

  test('with a kernel of its maker: what it must say, where it is inside the archive, and nothing beside it', () => {
    const full = { name: 'linux-maker', url: 'https://maker.invalid/k-1.tar.xz', sha256: 'a'.repeat(64), version: '1.0', architecture: 'arm64', license: 'GPL-2.0-only' };
    const from = (artifact: Record<string, string>, more = ''): string => machine.replace('debian: { package: linux-image-arm64, architecture: arm64 }', `artifact: ${JSON.stringify(artifact)}${more}`);
    expect(faults(from({ ...full, release: '6.6.31-v8+', image: 'bsp-1.2/boot/kernel8.img', modules: 'bsp-1.2/modules', deviceTrees: '..maker/boot' }))).toEqual([]);
    const { sha256: _sha256, license: _license, ...some } = full;
    expect(faults(from(some))).toEqual([expect.stringContaining('kernel.artifact: the key "sha256" is missing'), expect.stringContaining('kernel.artifact: the key "license" is missing')]);
    expect(faults(from({ ...full, url: 'ftp://maker.invalid/k.tar' }))).toEqual([expect.stringContaining('kernel.artifact.url')]);
    for (const image of ['/boot/Image', '../Image', 'boot/../../Image', './Image', 'boot//Image', 'boot/']) expect(faults(from({ ...full, image })), image).toEqual([expect.stringContaining('A path from the archive')]);
    expect(faults(from({ ...full, release: '-b' }))).toEqual([expect.stringContaining('kernel.artifact.release')]);
    expect(faults(from({ ...full, imgae: 'x' }))).toEqual([expect.stringContaining('did you mean "image"?')]);
    expect(faults(from(full, '\n  debian: { package: linux-image-arm64, architecture: arm64 }'))).toEqual([expect.stringContaining('kernel: only one of the keys debian and artifact can be there')]);
  });

  test('with sources of a kernel whose fragment or base cannot be a file of settings', () => {
    const from = (source: string): string => machine.replace('debian: { package: linux-image-arm64, architecture: arm64 }', `source: { package: linux-source-6.12, architecture: arm64, ${source} }`);
    expect(faults(from('fragments: [kernel/board.config]'))).toEqual([]);
    expect(faults(from('fragments: [../board.config]'))).toEqual([expect.stringContaining('A path below the machine file')]);
    expect(faults(from('fragments: []'))).toHaveLength(1);
    expect(faults(from('fragments: [a.config], base: defconfigs/x'))).toEqual([expect.stringContaining('kernel.source.base')]);
  });

  test('that is not YAML names the place', () => {
    expect(faults('description: "open\narch: x')[0]).toMatch(/^m\.yaml:\d+:\d+: /);
  });

  test('with a repeated key is refused', () => {
    expect(faults(`${machine}arch: amd64\n`)[0]).toMatch(/m\.yaml:11:1: .*unique/);
  });

  test('that is empty names all that is missing', () => {
    expect(faults('').map((line) => /"(\w+)" is missing/.exec(line)?.[1]).toSorted()).toEqual(['arch', 'boot', 'description', 'disk', 'kernel']);
  });
});

test('the nearest word is only offered when it is near', () => {
  expect(nearest('rasberrypi3', ['raspberrypi3', 'qemuarm64'])).toBe('raspberrypi3');
  expect(nearest('xyz', ['raspberrypi3', 'qemuarm64'])).toBeNull();
});
