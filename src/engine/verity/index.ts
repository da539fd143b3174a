// Purpose: the hash tree by which Linux' dm-verity checks every block of a slot when it is read.
// Owns: the tree's layout and size, the text in which its parameters travel to the initrd.
// Must not: import anything or touch files: the builder makes the same tree for a new image (src/image/verity.ts).
export { checkedVerity, formatVerity, parseVerity, verityEndBytes, verityParameter, type Verity } from './parameter.ts';
export { createVerityTree, treeBlocks, VERITY_BLOCK_BYTES, type BlockHash, type VerityTree } from './tree.ts';
