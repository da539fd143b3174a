import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';

import { readPartitions } from '../../src/device/disk-partitions.ts';

const hasSfdisk = (() => {
  try {
    return execFileSync('sfdisk', ['--version'], { stdio: 'pipe' }).length > 0;
  } catch {
    return false;
  }
})();

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function disk(script: string | null): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'partitions-'));
  folders.push(folder);
  const path = join(folder, 'disk.img');
  await writeFile(path, '');
  await truncate(path, 256 * 1024 * 1024);
  if (script !== null) execFileSync('sfdisk', ['-q', path], { input: script });
  return path;
}

async function read(path: string): ReturnType<typeof readPartitions> {
  const file = await open(path, 'r');
  try {
    return await readPartitions(file);
  } finally {
    await file.close();
  }
}

const mebibyte = 1024 * 1024;

describe.skipIf(!hasSfdisk)(`partition tables written by sfdisk${hasSfdisk ? '' : ' (this host has no sfdisk)'}`, () => {
  test('GPT', async () => {
    const sizes = [32, 48, 48, 16, 64];
    let at = 4;
    const lines = sizes.map((size) => {
      const line = `start=${at}MiB, size=${size}MiB`;
      at += size;
      return line;
    });
    const found = await read(await disk(`label: gpt\n${lines.join('\n')}\n`));
    expect(found.boot).toEqual({ startBytes: 4 * mebibyte, sizeBytes: 32 * mebibyte });
    expect(found.data).toEqual({ startBytes: 148 * mebibyte, sizeBytes: 64 * mebibyte });
  });

  test('MBR with logical partitions', async () => {
    const script = ['label: dos', 'start=4MiB, size=32MiB, type=c', 'start=36MiB, size=48MiB', 'start=84MiB, size=48MiB', 'start=132MiB, type=5', 'start=136MiB, size=16MiB', 'start=156MiB, size=64MiB'];
    const found = await read(await disk(`${script.join('\n')}\n`));
    expect(found.boot).toMatchObject({ startBytes: 4 * mebibyte, sizeBytes: 32 * mebibyte });
    expect(found.state).toEqual({ startBytes: 136 * mebibyte, sizeBytes: 16 * mebibyte });
    expect(found.data).toEqual({ startBytes: 156 * mebibyte, sizeBytes: 64 * mebibyte });
  });

  test('too few partitions, and no table at all', async () => {
    await expect(disk('label: gpt\nsize=8MiB\n').then(read)).rejects.toThrow(/1 partitions instead of five/);
    await expect(disk(null).then(read)).rejects.toThrow(/no partition table/);
  });
});
