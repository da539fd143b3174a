import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { deriveMachine, parseYaml, type NewMachine } from '../../src/config/index.ts';

const home = new URL('../..', import.meta.url).pathname;
const neighbour = (name: string): string => readFileSync(join(home, 'machines', `${name}.yaml`), 'utf8');
const derive = (name: string, own: Partial<NewMachine>) => {
  const text = deriveMachine(neighbour(name), { description: 'New', deviceTrees: [], console: null, uboot: null, ...own });
  return { text, machine: parseYaml('machine', text, 'new.yaml') };
};

describe('a machine file made of a neighbour’s', () => {
  test('has its own names, trees and console, and the neighbour’s kernel, lists and comments', () => {
    const { text, machine } = derive('hummingboard', { description: 'Wandboard', deviceTrees: ['imx6q-wandboard.dtb'], console: 'ttymxc3' });
    const before = parseYaml('machine', neighbour('hummingboard'), 'old.yaml');
    expect(machine).toMatchObject({ description: 'Wandboard', arch: 'armv7hf', kernel: { deviceTrees: ['imx6q-wandboard.dtb'], commandLine: ['console=tty0', 'console=ttymxc3,115200'], modules: before.kernel.modules } });
    expect(machine.boot).toEqual(before.boot);
    expect(text).toContain('# The i.MX6\'s ROM reads the image vector table');
  });

  test('does not claim what was verified of the neighbour, nor its aliases and lane', () => {
    const { machine } = derive('genericx86-64', {});
    expect(machine).not.toHaveProperty('aliases');
    expect(machine).not.toHaveProperty('qemu');
    expect(machine.verified).toEqual({ level: 'layout', how: expect.stringContaining('Nothing yet') });
  });

  test('takes the programs of its boot areas from the folder of its own U-Boot', () => {
    const { machine } = derive('hummingboard', { deviceTrees: ['x.dtb'], uboot: { package: null, file: 'usr/lib/u-boot/wandboard/u-boot.img' } });
    expect(machine.boot).toMatchObject({
      file: 'usr/lib/u-boot/wandboard/u-boot.img',
      areas: [{ file: 'usr/lib/u-boot/wandboard/SPL', offsetBytes: 1024 }, { file: 'usr/lib/u-boot/wandboard/u-boot.img' }, { name: 'environment' }],
    });
  });

  test('of a board whose U-Boot is built and has files by address: a package instead of both', () => {
    const { machine } = derive('odroid-xu4', { deviceTrees: ['exynos5250-arndale.dtb'], uboot: { package: 'u-boot-exynos', file: 'usr/lib/u-boot/arndale/u-boot.bin' } });
    expect(machine.boot).toEqual({ method: 'u-boot', package: { package: 'u-boot-exynos', architecture: 'armhf' }, file: 'usr/lib/u-boot/arndale/u-boot.bin' });
    expect(machine).not.toHaveProperty('files');
  });

  test('has no boot areas of another chip', () => {
    const { machine } = derive('hummingboard', { deviceTrees: ['x.dtb'], uboot: { package: 'u-boot-sunxi', file: 'usr/lib/u-boot/Cubieboard2/u-boot-sunxi-with-spl.bin' } });
    expect(machine.boot).toMatchObject({ package: { package: 'u-boot-sunxi', architecture: 'armhf' } });
    expect(machine.boot).not.toHaveProperty('areas');
    expect(machine.boot).not.toHaveProperty('osip');
  });

  test('drops what a comment says of the neighbour’s own value', () => {
    const { text } = derive('beaglebone-black', { deviceTrees: ['am335x-pocketbeagle.dtb'], console: 'ttyS0' });
    expect(text).not.toMatch(/U-Boot reads the board|calls the first port ttyO0/);
  });
});
