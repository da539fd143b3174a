import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { checkedVerity, createVerityTree, formatVerity, parseVerity, treeBlocks, verityEndBytes, type BlockHash } from '../../../src/engine/verity/index.ts';

const hash: BlockHash = (salt, block) => createHash('sha256').update(salt).update(block).digest();
const salt = createHash('sha256').update('salt').digest();

/** Data that is the same everywhere, with no two blocks alike. */
const dataOf = (blocks: number): Buffer => Buffer.concat(Array.from({ length: blocks }, (_, index) => Buffer.alloc(4096, createHash('sha256').update(`block ${index}`).digest())));

function treeOf(data: Buffer, pieces: (rest: number) => number = () => 65536): { tree: Uint8Array; rootHash: string } {
  const tree = createVerityTree(data.length / 4096, salt, hash);
  for (let at = 0; at < data.length; ) {
    const length = Math.min(pieces(data.length - at), data.length - at);
    tree.add(data.subarray(at, at + length));
    at += length;
  }
  return tree.finish();
}

describe('the tree', () => {
  /** By `veritysetup format --no-superblock` of cryptsetup 2.6.1: the root hash, and SHA-256 of the tree. */
  const known: Record<number, { rootHash: string; tree: string }> = {
    1: { rootHash: 'c86b2856020caf737a4625e45a19f0670ee568073e2102245f06ef862d707cd3', tree: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' },
    2: { rootHash: 'eb7b722456f5e0ac326755b8a51e0ec8f08da7301e88b9a47430c737f73ab34d', tree: '87809784b9d6d7c332b1fc5166b6fdec23a2ec53e7695eaa937658f6ca58ee19' },
    128: { rootHash: 'ce9d696b67a0dfabc6c918836bb5d1b6d15ecce06283bb240565233f8d035818', tree: '897024918f5c0a33534fb2f3e8594bbc8b7270c4e44e934d837ab2be3130c77e' },
    129: { rootHash: '55860b0d36b9af1b6db72a1956d828aebcb5117a28708c87f388fef5dace2eec', tree: '9c380e9bb2773cc4e0bb71fdb1e1373c2e3af9fed52aff7f8f18111a6f5124be' },
    16385: { rootHash: '8da90d96fffa5563a1d49d7650f86d6b292dbd87ddee00d2e81e215e92ec83ff', tree: '3f494cd03bc4eede2802a06a0c1f69004d7475bdd43628f5663a8c5de0f244ed' },
  };

  test.each(Object.keys(known).map(Number))('over %i blocks is the one that is known', (blocks) => {
    const { tree, rootHash } = treeOf(dataOf(blocks));
    expect({ rootHash, tree: createHash('sha256').update(tree).digest('hex') }).toEqual(known[blocks]);
    expect(tree.length).toBe(treeBlocks(blocks) * 4096);
  });

  test.for([1, 2, 127, 128, 129, 16384, 16385])('over %i blocks is what veritysetup makes of them', (blocks, context) => {
    if (spawnSync('veritysetup', ['--version']).error !== undefined) context.skip('veritysetup is not installed (Debian: cryptsetup-bin)');
    const folder = mkdtempSync(join(tmpdir(), 'minke-verity-'));
    try {
      const data = dataOf(blocks);
      writeFileSync(join(folder, 'data'), data);
      const { stdout, stderr } = spawnSync('veritysetup', ['format', '--no-superblock', '--data-blocks', String(blocks), '--salt', salt.toString('hex'), join(folder, 'data'), join(folder, 'tree')], { encoding: 'utf8' });
      const { tree, rootHash } = treeOf(data);
      expect(/Root hash:\s*([0-9a-f]{64})/.exec(stdout)?.[1], stderr).toBe(rootHash);
      expect(Buffer.from(tree).equals(readFileSync(join(folder, 'tree')))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('is the same in whatever pieces the data comes', () => {
    const data = dataOf(300);
    const whole = treeOf(data, (rest) => rest);
    for (const pieces of [() => 1000, () => 4095, () => 4097, (rest: number) => (rest % 7919) + 1]) expect(treeOf(data, pieces)).toEqual(whole);
  });

  test('changes with every bit of the data and of the salt', () => {
    const data = dataOf(130);
    const before = treeOf(data).rootHash;
    data[129 * 4096 + 4095] = (data[129 * 4096 + 4095] ?? 0) ^ 1;
    expect(treeOf(data).rootHash).not.toBe(before);
    const other = createVerityTree(1, Buffer.alloc(32), hash);
    other.add(dataOf(1));
    expect(other.finish().rootHash).not.toBe(treeOf(dataOf(1)).rootHash);
  });

  test('is refused for data of another length', () => {
    const short = createVerityTree(2, salt, hash);
    short.add(dataOf(1));
    expect(() => short.finish()).toThrow(/not 2 blocks/);
    const torn = createVerityTree(1, salt, hash);
    torn.add(new Uint8Array(4000));
    expect(() => torn.finish()).toThrow(/not 1 blocks/);
    expect(() => createVerityTree(1, salt, hash).add(dataOf(2))).toThrow(/longer than 1/);
  });

  test('takes as many blocks as the levels have', () => {
    expect([1, 2, 128, 129, 16384, 16385, 46336].map(treeBlocks)).toEqual([0, 1, 1, 3, 129, 132, 366]);
  });
});

describe('its parameters as text', () => {
  const verity = { rootHash: 'a'.repeat(64), salt: '0'.repeat(64), dataBlocks: 46336, hashStart: 46336 };

  test('are read as they were written', () => {
    expect(formatVerity(verity)).toBe(`${'a'.repeat(64)}:${'0'.repeat(64)}:46336:46336`);
    expect(parseVerity(formatVerity(verity))).toEqual(verity);
    expect(verityEndBytes(verity)).toBe((46336 + 366) * 4096);
  });

  test.each([
    '', ':', ':::', 'a:b:1:1', `${formatVerity(verity)}:`, `${formatVerity(verity)} `, ` ${formatVerity(verity)}`, formatVerity({ ...verity, rootHash: 'A'.repeat(64) }), formatVerity({ ...verity, salt: '0'.repeat(63) }),
    formatVerity({ ...verity, dataBlocks: 0 }), formatVerity({ ...verity, hashStart: 46335 }), formatVerity({ ...verity, dataBlocks: -1 }), formatVerity({ ...verity, hashStart: 1.5 }),
    formatVerity(verity).replace(/46336$/, '046336'), formatVerity(verity).replace(/46336$/, '0x46336'), formatVerity({ ...verity, hashStart: 2 ** 41 }), formatVerity({ ...verity, hashStart: 1e21 }),
  ])('%j is none', (text) => {
    expect(parseVerity(text)).toBeUndefined();
  });

  test.each([{}, { ...verity, rootHash: 1 }, { ...verity, salt: null }, { ...verity, dataBlocks: '46336' }, { ...verity, hashStart: Number.NaN }])('nor is %j in JSON', (value) => {
    expect(checkedVerity(value)).toBeUndefined();
  });
});
