import { Sha256, sha256 } from 'host:crypto';
import { EngineError } from '../error.ts';
import type { Files } from '../ports/index.ts';
import { createVerityTree, VERITY_BLOCK_BYTES, type BlockHash, type Verity, type VerityTree } from '../verity/index.ts';
import { digestOf } from './digest.ts';

const blockHash: BlockHash = (salt, block) => new Sha256().update(salt).update(block).digest();

/** The tree of a release's root, to be given that root as it is read back. */
export const releaseTree = ({ dataBlocks, salt }: Verity): VerityTree => createVerityTree(dataBlocks, Uint8Array.from(salt.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)), blockHash);

/** Puts the tree behind the root that it was made of, and reads it back. Throws when it is not the one that was signed. */
export async function writeTree(files: Files, target: string, verity: Verity, made: VerityTree): Promise<void> {
  const { tree, rootHash } = made.finish();
  if (rootHash !== verity.rootHash) {
    throw new EngineError('invalid', 'OS_RELEASE_INVALID', `the hash tree of the root begins with ${rootHash}, the release says ${verity.rootHash}`, { hint: 'the release was not made as it describes itself: build and publish it anew' });
  }
  const fromBytes = verity.hashStart * VERITY_BLOCK_BYTES;
  const fd = files.open(target, 'read-write');
  let open = true;
  try {
    files.seek(fd, fromBytes);
    files.write(fd, tree);
    await files.fsync(fd);
    open = false;
    // Out of memory, so that it is read back from the device.
    await files.writeOut([fd]);
  } finally {
    if (open) files.close(fd);
  }
  if (digestOf(files, target, tree.length, { fromBytes }) !== sha256(tree)) throw new EngineError('internal', 'OS_SLOT_DAMAGED', `what ${target} gives back is not the hash tree that was written`, { hint: 'try again; when it happens again, the medium is worn out' });
}
