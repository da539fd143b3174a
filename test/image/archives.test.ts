import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packCpio } from '../../src/image/cpio.ts';
import { elfNeeds } from '../../src/image/elf.ts';
import { fingerprint } from '../../src/image/fingerprint.ts';
import { indexTar } from '../../src/image/tar-index.ts';
import { openTarRoot } from '../../src/image/tar-root.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-archive-'));
  const root = join(folder, 'root');
  mkdirSync(join(root, 'usr/lib', 'x'.repeat(120)), { recursive: true });
  writeFileSync(join(root, 'usr/lib', 'x'.repeat(120), 'é.so'), 'library');
  writeFileSync(join(root, 'usr/program'), Buffer.alloc(70_000, 7), { mode: 0o755 });
  symlinkSync('usr/lib', join(root, 'lib'));
  symlinkSync(`/lib/${'x'.repeat(120)}/é.so`, join(root, 'usr/link.so'));
  symlinkSync('loop', join(root, 'loop'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(['pax', 'gnu'])('a root in a tar of format %s', (format) => {
  let tar = '';
  beforeAll(() => {
    tar = join(folder, `${format}.tar`);
    expect(spawnSync('tar', [`--format=${format}`, '--sort=name', '-C', join(folder, 'root'), '-cf', tar, '.']).status).toBe(0);
  });

  test('is indexed with long names, links, modes and sizes', () => {
    const entries = indexTar(tar);
    expect(entries.get(`usr/lib/${'x'.repeat(120)}/é.so`)).toMatchObject({ type: 'file', sizeBytes: 7 });
    expect(entries.get('usr/program')).toMatchObject({ type: 'file', sizeBytes: 70_000, mode: 0o755 });
    expect(entries.get('usr/link.so')).toMatchObject({ type: 'symlink', target: `/lib/${'x'.repeat(120)}/é.so` });
  });

  test('is read through links of folders and files; a loop is nothing', () => {
    const root = openTarRoot(tar);
    expect(root.read('usr/link.so').toString()).toBe('library');
    expect(root.find('usr/../lib/none')).toBeNull();
    expect(root.find('loop')).toBeNull();
    expect(() => root.read('usr/none')).toThrow('usr/none');
    root.close();
  });

  test('has a fingerprint that sha256sum accepts', () => {
    const list = join(folder, 'list');
    writeFileSync(list, fingerprint(tar));
    expect(spawnSync('sha256sum', ['--check', '--strict', '--quiet', list], { cwd: join(folder, 'root'), encoding: 'utf8' })).toMatchObject({ status: 0, stdout: '' });
    const known = new Map([['usr/program', 'f'.repeat(64)]]);
    expect(fingerprint(tar, known).split('\n').filter((line) => !fingerprint(tar).includes(line))).toEqual([`${'f'.repeat(64)}  usr/program`]);
    writeFileSync(list, fingerprint(tar).replace(/^./, '0'));
    expect(spawnSync('sha256sum', ['--check', '--quiet', list], { cwd: join(folder, 'root') }).status).toBe(1);
  });

  test('is refused when it is cut off or damaged', () => {
    const cut = join(folder, 'cut.tar');
    writeFileSync(cut, readFileSync(tar));
    truncateSync(cut, 700);
    expect(() => indexTar(cut)).toThrow('cut off');
    const bytes = readFileSync(tar);
    bytes[10] = 0x41;
    writeFileSync(cut, bytes);
    expect(() => indexTar(cut)).toThrow('damaged');
  });
});

test('a cpio archive is unpacked by cpio as it was meant, and is the same bytes in any order of entries', () => {
  const entries = [
    { path: 'bin', type: 'folder' as const, mode: 0o755 },
    { path: 'bin/sh', type: 'symlink' as const, target: 'busybox' },
    { path: 'bin/busybox', type: 'file' as const, mode: 0o755, content: Buffer.from('program') },
    { path: 'empty', type: 'file' as const, mode: 0o644, content: Buffer.alloc(0) },
  ];
  const archive = packCpio(entries, 1_700_000_000);
  expect(packCpio(entries.toReversed(), 1_700_000_000).equals(archive)).toBe(true);
  const out = join(folder, 'cpio');
  mkdirSync(out);
  const unpacked = spawnSync('busybox', ['cpio', '-idm'], { cwd: out, input: archive });
  const tool = unpacked.error === undefined ? unpacked : spawnSync('cpio', ['-idm', '--quiet'], { cwd: out, input: archive });
  if (tool.error !== undefined) return expect(archive.toString('latin1', 0, 6)).toBe('070701');
  expect(tool.status).toBe(0);
  expect(readdirSync(out).toSorted()).toEqual(['bin', 'empty']);
  expect(readlinkSync(join(out, 'bin/sh'))).toBe('busybox');
  expect(readFileSync(join(out, 'bin/busybox'), 'utf8')).toBe('program');
  expect(statSync(join(out, 'bin/busybox')).mode & 0o777).toBe(0o755);
  expect(statSync(join(out, 'empty')).mtimeMs).toBe(1_700_000_000_000);
});

test('needs of a program are read as the host loads it', () => {
  const needs = elfNeeds(readFileSync(process.execPath));
  expect(needs?.libraries).toContain('libc.so.6');
  expect(needs?.interpreter).toMatch(/\/ld-linux/);
  expect(elfNeeds(Buffer.from('#!/bin/sh\n'.padEnd(100)))).toBeNull();
});
