import { createHash } from 'node:crypto';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { checkedVerity, createVerityTree, VERITY_BLOCK_BYTES, type BlockHash, type Verity } from '../engine/verity/index.ts';
import type { StepContext } from '../model/index.ts';
import { eachChunk } from './disk-bytes.ts';

const sha256: BlockHash = (salt, block) => createHash('sha256').update(salt).update(block).digest();

/** Makes the tree that stands behind the root in its partition. The root's own hash is the salt: no two releases have a hash in common, and the same root has the same tree. */
export async function buildVerity(context: StepContext<'image/verity'>): Promise<void> {
  const path = context.input('root');
  const { size } = await stat(path);
  if (size % VERITY_BLOCK_BYTES !== 0) throw new Error(`the root is ${size} bytes long, which is no number of whole blocks`);
  const dataBlocks = size / VERITY_BLOCK_BYTES;
  const salt = context.digest('root');
  const builder = createVerityTree(dataBlocks, Buffer.from(salt, 'hex'), sha256);
  const root = await open(path, 'r');
  try {
    await eachChunk(root, { start: 0, end: size }, async (chunk) => builder.add(chunk));
  } finally {
    await root.close();
  }
  const { tree, rootHash } = builder.finish();
  const verity: Verity = { rootHash, salt, dataBlocks, hashStart: dataBlocks };
  await writeFile(context.output('root.verity'), tree);
  await writeFile(context.output('verity.json'), `${JSON.stringify(verity)}\n`);
}

/** verity.json of the step before. */
export async function readVerity(file: string): Promise<Verity> {
  const verity = checkedVerity(JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>);
  if (verity === undefined) throw new Error(`${file} holds no parameters of a hash tree`);
  return verity;
}
