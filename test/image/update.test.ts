import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packFiles } from '../../src/image/slot-files.ts';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'osbuild-slot-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a slot's files are packed as GNU tar reads them, the same bytes each time", async () => {
  mkdirSync(join(folder, 'A/dtb/vendor'), { recursive: true });
  const files = { kernel: Buffer.alloc(70_000, 'k'), initrd: Buffer.alloc(512, 'i'), 'dtb/vendor/board.dtb': Buffer.from('tree'), 'boot.env': Buffer.alloc(0) };
  for (const [path, content] of Object.entries(files)) writeFileSync(join(folder, 'A', path), content);
  const pack = (name: string, paths: string[]): Promise<void> => packFiles({ files: paths.map((path) => ({ path: `boot/${path}`, file: join(folder, 'A', path) })), epoch: 1_793_491_200, archive: join(folder, name) });
  await pack('one.tar', Object.keys(files));
  await pack('two.tar', Object.keys(files).toReversed());
  expect(readFileSync(join(folder, 'one.tar')).equals(readFileSync(join(folder, 'two.tar')))).toBe(true);
  mkdirSync(join(folder, 'out'));
  execFileSync('tar', ['-xf', join(folder, 'one.tar'), '-C', join(folder, 'out')]);
  for (const [path, content] of Object.entries(files)) {
    expect(createHash('sha256').update(readFileSync(join(folder, 'out/boot', path))).digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
    expect(statSync(join(folder, 'out/boot', path)).mtimeMs).toBe(1_793_491_200_000);
  }
  const listed = execFileSync('tar', ['-tf', join(folder, 'one.tar')], { encoding: 'utf8' }).trim().split('\n');
  expect(listed).toEqual(['boot/', 'boot/dtb/', 'boot/dtb/vendor/', 'boot/boot.env', 'boot/dtb/vendor/board.dtb', 'boot/initrd', 'boot/kernel']);
});
