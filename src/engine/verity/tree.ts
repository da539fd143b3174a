/**
 * dm-verity's hash tree, format version 1 without a superblock (Linux: Documentation/admin-guide/device-mapper/verity.rst, drivers/md/dm-verity-target.c): SHA-256 of salt and block,
 * 128 hashes in a block of 4096 bytes, the rest of which is zeros. The levels stand one behind the other, the topmost, one block, first; its hash is the root hash.
 */

/** Of data and of hashes. */
export const VERITY_BLOCK_BYTES = 4096;
const HASH_BYTES = 32;
const HASHES = VERITY_BLOCK_BYTES / HASH_BYTES;

/** SHA-256 of the salt and a block: 32 bytes. The engine's and the builder's own way to hash. */
export type BlockHash = (salt: Uint8Array, block: Uint8Array) => Uint8Array;

export interface VerityTree {
  /** Adds the next bytes of the data, as many as there are. */
  add(bytes: Uint8Array): void;
  /** The tree as it stands on the disk, and the root hash. Throws RangeError when the data was not as long as was said. */
  finish(): { tree: Uint8Array; rootHash: string };
}

/** Blocks of each level, the lowest first. A single block of data has none: its hash is the root hash. */
function levels(dataBlocks: number): number[] {
  const blocks: number[] = [];
  for (let below = dataBlocks; below > 1; ) {
    below = Math.ceil(below / HASHES);
    blocks.push(below);
  }
  return blocks;
}

/** Blocks that the tree over so many blocks of data takes: an 128th of them, and a little. */
export const treeBlocks = (dataBlocks: number): number => levels(dataBlocks).reduce((sum, blocks) => sum + blocks, 0);

/** Makes the tree while the data goes by; what it holds in memory is the tree, 1.4 MiB for data of 180 MiB. */
export function createVerityTree(dataBlocks: number, salt: Uint8Array, hash: BlockHash): VerityTree {
  const tree = new Uint8Array(treeBlocks(dataBlocks) * VERITY_BLOCK_BYTES);
  const starts: number[] = [];
  let end = tree.length;
  for (const blocks of levels(dataBlocks)) {
    end -= blocks * VERITY_BLOCK_BYTES;
    starts.push(end);
  }
  const rest = new Uint8Array(VERITY_BLOCK_BYTES);
  let restBytes = 0;
  let seen = 0;
  let only: Uint8Array | undefined;
  const addBlock = (block: Uint8Array): void => {
    if (seen === dataBlocks) throw new RangeError(`the data of the tree is longer than ${dataBlocks} blocks`);
    const digest = hash(salt, block);
    const [start] = starts;
    if (start === undefined) only = digest;
    else tree.set(digest, start + seen * HASH_BYTES);
    seen += 1;
  };
  return {
    add(bytes) {
      let at = 0;
      if (restBytes > 0) {
        at = Math.min(VERITY_BLOCK_BYTES - restBytes, bytes.length);
        rest.set(bytes.subarray(0, at), restBytes);
        restBytes += at;
        if (restBytes < VERITY_BLOCK_BYTES) return;
        restBytes = 0;
        addBlock(rest);
      }
      for (; at + VERITY_BLOCK_BYTES <= bytes.length; at += VERITY_BLOCK_BYTES) addBlock(bytes.subarray(at, at + VERITY_BLOCK_BYTES));
      restBytes = bytes.length - at;
      rest.set(bytes.subarray(at));
    },
    finish() {
      if (restBytes > 0 || seen !== dataBlocks) throw new RangeError(`the data of the tree is not ${dataBlocks} blocks of ${VERITY_BLOCK_BYTES} bytes`);
      const block = (start: number): Uint8Array => tree.subarray(start, start + VERITY_BLOCK_BYTES);
      for (const [level, blocks] of levels(dataBlocks).entries()) {
        const [from, to] = [starts[level] ?? 0, starts[level + 1]];
        if (to === undefined) only = hash(salt, block(from));
        else for (let i = 0; i < blocks; i += 1) tree.set(hash(salt, block(from + i * VERITY_BLOCK_BYTES)), to + i * HASH_BYTES);
      }
      return { tree, rootHash: hex(only ?? new Uint8Array()) };
    },
  };
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
