import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { BlobStore, cacheUsage, CacheLayout, inWorkFolder, lockFile, ownIdentity, pruneCache, removeAbandonedWork, ResultStore, sha256File } from '../../src/cache/index.ts';

let folder: string;
let layout: CacheLayout;
let blobs: BlobStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'osbuild-cache-'));
  layout = new CacheLayout(folder);
  blobs = new BlobStore(layout);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Identity of a process that has ended. */
function deadIdentity(): string {
  return `${spawnSync('true').pid} 1`;
}

async function store(text: string): Promise<string> {
  const file = join(folder, 'file');
  await writeFile(file, text);
  return (await blobs.take(file)).sha256;
}

test('scratch folders of killed builds go, those of running ones stay', async () => {
  for (const [name, owner] of [['dead', deadIdentity()], ['alive', await ownIdentity()]] as const) {
    await mkdir(join(layout.work(), name), { recursive: true });
    await writeFile(join(layout.work(), name, 'owner'), owner);
  }
  await removeAbandonedWork(layout);
  expect(await readdir(layout.work())).toEqual(['alive']);
});

test('a scratch folder of a command stays as long as it runs, and goes with it', async () => {
  await inWorkFolder(layout, 'command', async (work) => {
    await utimes(work, 1, 1);
    await removeAbandonedWork(layout);
    expect((await readdir(layout.work())).map((name) => join(layout.work(), name))).toEqual([work]);
  });
  expect(await readdir(layout.work())).toEqual([]);
});

test('a scratch folder that its owner removes while it is looked at is nobody\'s error', async () => {
  await mkdir(layout.work(), { recursive: true });
  // Listed, and not there any more when it is asked for its owner and its age.
  await symlink('nowhere', join(layout.work(), 'gone'));
  await expect(removeAbandonedWork(layout)).resolves.toBeUndefined();
});

test('a lock is waited for, and taken over from a dead owner', async () => {
  const path = join(folder, 'lock');
  const signal = new AbortController().signal;
  await writeFile(path, deadIdentity());
  const release = await lockFile(path, signal);
  let waited = 0;
  const second = lockFile(path, signal, () => waited++);
  setTimeout(() => void release(), 300);
  await (await second)();
  expect(waited).toBe(1);
  expect(await readdir(folder)).toEqual([]);
});

test('waiting for a lock can be cancelled', async () => {
  const path = join(folder, 'lock');
  await lockFile(path, new AbortController().signal);
  await expect(lockFile(path, AbortSignal.timeout(300))).rejects.toThrow();
});

test('a blob that was changed is noticed once and removed', async () => {
  const sha256 = await store('content');
  expect(await blobs.verify(sha256)).toBe(true);
  await rm(blobs.path(sha256));
  await writeFile(blobs.path(sha256), 'CONTENT');
  expect(await blobs.verify(sha256)).toBe(false);
  expect(await blobs.size(sha256)).toBeNull();
});

test('pruning takes what was not used, and keeps what a used result names', async () => {
  const results = new ResultStore(layout, blobs);
  const [kept, gone] = [await store('kept'), await store('gone')];
  await results.put('a'.repeat(64), { files: { x: { sha256: kept, sizeBytes: 4 } }, tree: false, durationMs: 1 });
  await results.put('b'.repeat(64), { files: { x: { sha256: gone, sizeBytes: 4 } }, tree: false, durationMs: 1 });
  const longAgo = new Date('2020-01-01');
  await utimes(layout.result('b'.repeat(64)), longAgo, longAgo);
  const options = { unusedSince: new Date(Date.now() - 3_600_000), dryRun: false };
  // Young blobs may belong to a running build: only the result goes, its blob an hour later.
  expect(await pruneCache(layout, { ...options, dryRun: true })).toMatchObject({ results: 1, blobs: 0 });
  expect((await pruneCache(layout, options)).results).toBe(1);
  expect(await results.get('a'.repeat(64))).not.toBeNull();
  expect(await results.get('b'.repeat(64))).toBeNull();
  expect((await cacheUsage(layout)).blobs).toEqual({ count: 2, bytes: 8 });
});

describe('a cache that is too large', () => {
  const hoursAgo = (hours: number): Date => new Date(Date.now() - hours * 3_600_000);
  const aged = async (path: string, hours: number): Promise<void> => utimes(path, hoursAgo(hours), hoursAgo(hours));
  /** A result of one blob, used so many hours ago; the clock of the blobs themselves cannot be set back. */
  const result = async (key: string, content: string, hours: number): Promise<void> => {
    const sha256 = await store(content);
    const results = new ResultStore(layout, blobs);
    await results.put(key.repeat(64), { files: { x: { sha256, sizeBytes: content.length } }, tree: false, durationMs: 1 });
    await aged(layout.result(key.repeat(64)), hours);
  };

  test('loses what was used longest ago, until the rest is no larger', async () => {
    const soon = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 2 * 3_600_000);
    try {
      await result('a', 'used just now', 0);
      await result('b', 'used an hour ago', 1);
      await result('c', 'used yesterday', 24);
      const lone = await store('a download of today');
      const pruned = await pruneCache(layout, { unusedSince: new Date(0), keepBytes: 'used just now'.length + 'a download of today'.length + 'used an hour ago'.length, dryRun: false });
      expect(pruned).toEqual({ results: 1, blobs: 1, trees: 0, bytes: 'used yesterday'.length });
      expect(await blobs.size(lone)).not.toBeNull();
      const none = await pruneCache(layout, { unusedSince: new Date(0), keepBytes: 0, dryRun: false });
      expect(none).toMatchObject({ results: 2, blobs: 3 });
      expect((await cacheUsage(layout)).totalBytes).toBe(0);
    } finally {
      soon.mockRestore();
    }
  });

  test('keeps a blob that a younger result names as well', async () => {
    const soon = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 2 * 3_600_000);
    try {
      await result('a', 'shared', 0);
      await result('b', 'shared', 24);
      expect(await pruneCache(layout, { unusedSince: hoursAgo(12), dryRun: false })).toEqual({ results: 1, blobs: 0, trees: 0, bytes: 0 });
    } finally {
      soon.mockRestore();
    }
  });

  test('loses logs, indexes and cut downloads that nobody wanted for a while', async () => {
    const old = [layout.log('project', 'task'), join(layout.aptRoots(), 'old/apt.conf'), layout.partial('f'.repeat(64))];
    const young = [layout.log('project', 'other'), join(layout.aptRoots(), 'young/apt.conf')];
    for (const path of [...old, ...young]) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, 'text');
    }
    for (const path of old) await aged(path, 48);
    expect(await pruneCache(layout, { unusedSince: hoursAgo(24), dryRun: true })).toMatchObject({ bytes: 12 });
    await pruneCache(layout, { unusedSince: hoursAgo(24), dryRun: false });
    expect(await Promise.all([...old, ...young].map(async (path) => access(path).then(() => true, () => false)))).toEqual([false, false, false, true, true]);
  });
});

test('a damaged result file counts as none', async () => {
  const results = new ResultStore(layout, blobs);
  const sha256 = await store('x');
  await results.put('c'.repeat(64), { files: { x: { sha256, sizeBytes: 1 } }, tree: false, durationMs: 1 });
  await writeFile(layout.result('c'.repeat(64)), '{"files":');
  expect(await results.get('c'.repeat(64))).toBeNull();
});

test('an exported artifact is a file of its own', async () => {
  const sha256 = await store('artifact');
  const target = join(folder, 'out', 'artifact');
  await blobs.export(sha256, target);
  await writeFile(target, 'changed by its owner');
  expect(await sha256File(blobs.path(sha256))).toBe(sha256);
});

describe('hashes', () => {
  const bytes = randomBytes(9_000_001);
  const of = (...parts: Buffer[]): string => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');

  test('of a large file, of ranges of it, of a small and of an empty one are what the library says', async () => {
    const large = join(folder, 'large');
    await writeFile(large, bytes);
    const ranges = [{ start: 5_000_000, end: 9_000_001 }, { start: 1, end: 3_000_000 }];
    expect(await Promise.all([sha256File(large), sha256File(large, ranges), sha256File(large, [{ start: 7, end: 90 }, { start: 0, end: 0 }])])).toEqual([
      of(bytes),
      of(bytes.subarray(5_000_000), bytes.subarray(1, 3_000_000)),
      of(bytes.subarray(7, 90)),
    ]);
    await writeFile(join(folder, 'empty'), '');
    expect(await sha256File(join(folder, 'empty'))).toBe(of());
  });

  test('a file that is gone, or no file at all, is an error with its code, in a thread as well', async () => {
    await expect(sha256File(join(folder, 'gone'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(sha256File(join(folder, 'gone'), [{ start: 0, end: 1e9 }])).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(sha256File(folder, [{ start: 0, end: 1e9 }])).rejects.toMatchObject({ code: 'EISDIR' });
  });
});
