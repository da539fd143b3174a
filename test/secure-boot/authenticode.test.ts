import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { certificatePem, imageDigest, isSignedBy, makeCertificate, signProgram } from '../../src/secure-boot/index.ts';
import { addSections } from '../../src/secure-boot/pe.ts';
import { program } from './program.ts';

const [ours, theirs] = [makeCertificate('ours', new Date('2026-11-01')), makeCertificate('theirs', new Date('2026-11-01'))];
const has = (command: string): boolean => spawnSync(command, ['--version']).error === undefined;

describe('a signed program', () => {
  const signed = signProgram(program(), ours);

  test('is signed by that key, and by no other', () => {
    expect(isSignedBy(signed, ours.certificate)).toBe(true);
    expect(isSignedBy(signed, theirs.certificate)).toBe(false);
    expect(isSignedBy(program(), ours.certificate)).toBe(false);
  });

  test('is the same for the same program and key: nothing of the time is in it', () => {
    expect(signProgram(program(), ours).equals(signed)).toBe(true);
  });

  test('is signed once: a signature that was there goes', () => {
    expect(signProgram(signProgram(program(), theirs), ours).equals(signed)).toBe(true);
  });

  test('is signed no more when any byte of it is another one, but for the checksum', () => {
    const checksum = 0x80 + 24 + 64;
    const covered = program().length;
    const missed: number[] = [];
    for (let at = 0; at < covered; at += 1) {
      const changed = Buffer.from(signed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      if (isSignedBy(changed, ours.certificate)) missed.push(at);
    }
    expect(missed).toEqual([0, 1, 2, 3].map((offset) => checksum + offset));
  });

  test('is signed no more when it is cut off, or goes on', () => {
    for (const bytes of [1, 8, 100, 1000]) expect(isSignedBy(signed.subarray(0, -bytes), ours.certificate)).toBe(false);
  });

  test('has its digest whatever its signature is', () => {
    expect(imageDigest(signed)).toEqual(imageDigest(signProgram(program(), theirs)));
    expect(imageDigest(signed)).not.toEqual(imageDigest(program('codf')));
  });
});

describe('as other programs see it', () => {
  let folder = '';
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'osbuild-signed-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.skipIf(!has('sbverify')).each([
    ['a program', program()],
    ['a program with something behind its sections', program('code', { tail: Buffer.from('behind') })],
    ['a program with sections of ours', addSections(program(), [{ name: '.linux', content: Buffer.alloc(5000, 'k') }, { name: '.cmdline', content: Buffer.from('quiet') }])],
  ])('sbverify takes %s that is signed, and refuses it for another certificate, or with another byte (needs sbsigntool)', (_, bare) => {
    const signed = signProgram(bare, ours);
    const changed = Buffer.from(signed);
    changed[0x410] = (changed[0x410] ?? 0) ^ 1;
    for (const [name, content] of [['signed.efi', signed], ['changed.efi', changed], ['ours.crt', certificatePem(ours.certificate)], ['theirs.crt', certificatePem(theirs.certificate)]] as const) writeFileSync(join(folder, name), content);
    const verdict = (certificate: string, file: string): number | null => spawnSync('sbverify', ['--cert', certificate, file], { cwd: folder }).status;
    expect(verdict('ours.crt', 'signed.efi')).toBe(0);
    expect(verdict('theirs.crt', 'signed.efi')).not.toBe(0);
    expect(verdict('ours.crt', 'changed.efi')).not.toBe(0);
  });
});
