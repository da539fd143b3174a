import { describe, expect, test } from 'vitest';
import { profileOption, profiles } from '../../src/engine/unified-kernel/index.ts';
import { addSections, readPe, sectionContent } from '../../src/secure-boot/pe.ts';
import { assembleUnifiedKernel, checkStub, slotProfiles, stubVersion } from '../../src/secure-boot/unified-kernel.ts';
import { program } from './program.ts';

const verity = { rootHash: 'a'.repeat(64), salt: 'b'.repeat(64), dataBlocks: 5, hashStart: 5 };
const stub = addSections(program(), [{ name: '.sdmagic', content: Buffer.from('#### LoaderInfo: systemd-stub 257.9-1~deb13u1 ####\0') }]);
const kernel = assembleUnifiedKernel(stub, { os: { name: 'Our "OS"', id: 'ours', version: '1.0' }, kernelVersion: '6.12.0', kernel: Buffer.from('the kernel'), initrd: Buffer.from('the initrd'), profiles: slotProfiles(['quiet'], verity) });
const content = (name: string): string | undefined => sectionContent(kernel, name)?.toString();
const sections = readPe(kernel).sections;
const textOf = (index: number): string => {
  const section = sections[index];
  return section === undefined ? '' : kernel.subarray(section.rawOffset, section.rawOffset + section.virtualSize).toString();
};

describe('a unified kernel', () => {
  test('has what all its command lines share first', () => {
    expect(sections.map(({ name }) => name)).toEqual(['.text', '.sdmagic', '.osrel', '.uname', '.initrd', '.linux', ...profiles.flatMap(() => ['.profile', '.cmdline'])]);
    expect([content('.linux'), content('.initrd'), content('.uname')]).toEqual(['the kernel', 'the initrd', '6.12.0']);
    expect(content('.osrel')).toBe('NAME="Our \\"OS\\""\nID=ours\nVERSION_ID="1.0"\nPRETTY_NAME="Our \\"OS\\" 1.0"\n');
  });

  test.each(profiles.map((profile, index) => ({ ...profile, index })))('has the command line of slot $slot (on trial: $trial) at the number that its entry asks for', ({ slot, trial, index }) => {
    expect(profileOption({ slot, trial })).toBe(`@${index}`);
    expect(textOf(6 + 2 * index)).toMatch(new RegExp(`^ID=slot-${slot.toLowerCase()}${trial ? '-trial' : ''}\n`));
    const words = textOf(7 + 2 * index).split(' ');
    expect(words).toContain(`minke.slot=${slot}`);
    expect(words.includes('minke.trial')).toBe(trial);
    expect(words).toContain('minke.strict');
    expect(words).toContain(`minke.verity=${'a'.repeat(64)}:${'b'.repeat(64)}:5:5`);
  });

  test('has its sections one after the other, in memory and in the file, each where the alignment wants it', () => {
    let [address, offset] = [0, 0];
    for (const { virtualAddress, virtualSize, rawOffset, rawBytes } of sections) {
      expect(virtualAddress % 0x1000).toBe(0);
      expect(rawOffset % 0x200).toBe(0);
      expect(virtualAddress).toBeGreaterThanOrEqual(address);
      expect(rawOffset).toBeGreaterThanOrEqual(offset);
      [address, offset] = [virtualAddress + virtualSize, rawOffset + rawBytes];
    }
    expect(offset).toBe(kernel.length);
  });

  test('is made of a stub that knows several command lines, and takes no initrd of somebody else', () => {
    const stubOf = (version: number): Buffer => addSections(program(), [{ name: '.sdmagic', content: Buffer.from(`#### LoaderInfo: systemd-stub ${version}.1 ####\0`) }]);
    expect(stubVersion(stub)).toBe(257);
    expect(() => checkStub(stub, 'stub')).not.toThrow();
    expect(() => checkStub(stubOf(256), 'stub')).toThrow(/256.*older ones know one command line/);
    expect(() => checkStub(stubOf(258), 'stub')).toThrow(/258.*later ones take initrds that nobody has signed/);
    expect(() => checkStub(program(), 'stub')).toThrow(/no version/);
  });
});

describe('a program that cannot be used', () => {
  test.each<[string, Buffer, RegExp]>([
    ['nothing', Buffer.alloc(0), /MZ/],
    ['a text', Buffer.from('#!/bin/sh\n'.repeat(40)), /MZ/],
    ['one of 32 bits', (() => { const file = program(); file.writeUInt16LE(0x10b, 0x80 + 24); return file; })(), /64 bits/],
    ['one whose header lies beyond its end', (() => { const file = program(); file.writeUInt32LE(0x7fff_ffff, 0x3c); return file; })(), /64 bits/],
    ['one that is cut off', program().subarray(0, -1), /cut off/],
    ['one with more sections than it has room for', (() => { const file = program(); file.writeUInt16LE(0xffff, 0x80 + 6); return file; })(), /cut off/],
  ])('%s is refused', (_, file, complaint) => {
    expect(() => readPe(file)).toThrow(complaint);
  });

  test('gets no sections that its headers have no room for, and none with a long name', () => {
    expect(() => addSections(program('code', { headerBytes: 0x200 }), ['.osrel', '.linux', '.initrd'].map((name) => ({ name, content: Buffer.from('x') })))).toThrow('room for 3 sections, and 4 are wanted');
    expect(() => addSections(program(), [{ name: '.commandline', content: Buffer.alloc(0) }])).toThrow(/longer than/);
  });
});
