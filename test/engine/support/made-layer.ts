import { createHash } from 'node:crypto';
import { sha256 } from './docker-archive.ts';
import { tarFile, tarFolder, tarOf, tarSymlink } from './tar-writer.ts';

/** Content that does not compress, the same each time. */
export const noise = (sizeBytes: number, seed: string): Buffer => createHash('shake256', { outputLength: sizeBytes }).update(seed).digest();

/** Numbers from 0 to 1 that are the same for a seed. */
export function randomNumbers(seed: string): () => number {
  let count = 0;
  return () => createHash('sha256').update(`${seed} ${(count += 1)}`).digest().readUInt32BE() / 2 ** 32;
}

export interface MadeLayer {
  tar: Buffer;
  /** As `readFolder` tells it. */
  contents: Record<string, string>;
}

/** A folder of files of all sizes, one of them worth a few pieces of a download. */
export function makeLayer(name: string, version: string): MadeLayer {
  const contents: Record<string, string> = { [name]: 'folder', [`${name}/link`]: '-> 7' };
  const entries = [tarFolder(name), tarSymlink(`${name}/link`, '7')];
  for (let index = 0; index < 80; index += 1) {
    const data = noise(index === 0 ? 900_000 : index * 90, `${name} ${index} ${index % 20 === 0 ? version : ''}`);
    entries.push(tarFile(`${name}/${index}`, data));
    contents[`${name}/${index}`] = sha256(data);
  }
  return { tar: tarOf(entries), contents };
}
