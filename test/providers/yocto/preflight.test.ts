import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { lacks, preflight } from '../../../src/providers/yocto/index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-preflight-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('everything that a host lacks is named at once, with what to install', async () => {
  const options = { hostEnvironment: { PATH: folder }, folder: join(folder, 'cache'), uid: 1000, diskBytes: 1e18 };
  const found = await lacks(options);
  expect(found).toEqual(expect.arrayContaining([
    { what: 'the program chrpath', remedy: 'apt install chrpath' },
    { what: 'the program lz4c', remedy: 'apt install lz4' },
    { what: 'the locale en_US.UTF-8', remedy: expect.stringContaining('locale-gen') },
    { what: expect.stringContaining('disk space'), remedy: expect.stringContaining('OSBUILD_CACHE_DIR') },
  ]));
  await expect(preflight(options)).rejects.toMatchObject({ code: 'OSB_HOST_UNFIT', message: expect.stringContaining('the program gawk'), hint: expect.stringMatching(/^apt install .*\bchrpath\b.*\bdiffstat\b/) });
});

test('a host with all programs lacks none of them', async () => {
  const found = await lacks({ hostEnvironment: { PATH: process.env['PATH'] ?? '' }, folder, uid: process.getuid?.() ?? 0, diskBytes: 1 });
  expect(found.filter(({ what }) => what.startsWith('the program git') || what.startsWith('disk'))).toEqual([]);
});
