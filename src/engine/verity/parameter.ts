import { treeBlocks, VERITY_BLOCK_BYTES } from './tree.ts';

/** All that the kernel wants to know of a slot's tree. It is no secret: whoever has the data can compute it. */
export interface Verity {
  /** 64 hexadecimal digits. */
  rootHash: string;
  /** 64 hexadecimal digits. */
  salt: string;
  /** Blocks of 4096 bytes. */
  dataBlocks: number;
  /** The tree's first block, counted from the partition's beginning: behind the data. */
  hashStart: number;
}

/** Of the kernel's command line. Read by recipes/initrd (lib/verity.sh) and src/verity-map. */
export const verityParameter = 'minke.verity';

const DIGITS = /^[0-9a-f]{64}$/;
/** Numbers that the kernel takes and JavaScript counts with; far more than any slot. */
const MOST_BLOCKS = 2 ** 40;

/** `<root hash>:<salt>:<blocks of data>:<first block of the tree>` */
export const formatVerity = ({ rootHash, salt, dataBlocks, hashStart }: Verity): string => `${rootHash}:${salt}:${dataBlocks}:${hashStart}`;

/** Reads what `formatVerity` writes; undefined for anything else. */
export function parseVerity(text: string): Verity | undefined {
  const [rootHash = '', salt = '', data = '', start = '', ...more] = text.split(':');
  if (more.length > 0 || ![data, start].every((number) => /^[1-9]\d{0,12}$/.test(number))) return undefined;
  return checkedVerity({ rootHash, salt, dataBlocks: Number(data), hashStart: Number(start) });
}

/** The four values out of JSON, say; undefined when they describe no tree behind its data. */
export function checkedVerity({ rootHash, salt, dataBlocks, hashStart }: Partial<Record<keyof Verity, unknown>>): Verity | undefined {
  if (typeof rootHash !== 'string' || typeof salt !== 'string' || typeof dataBlocks !== 'number' || typeof hashStart !== 'number') return undefined;
  if (!DIGITS.test(rootHash) || !DIGITS.test(salt)) return undefined;
  if (![dataBlocks, hashStart].every((number) => Number.isSafeInteger(number) && number > 0 && number <= MOST_BLOCKS) || hashStart < dataBlocks) return undefined;
  return { rootHash, salt, dataBlocks, hashStart };
}

/** Where the tree ends: what the partition has to hold. */
export const verityEndBytes = ({ dataBlocks, hashStart }: Pick<Verity, 'dataBlocks' | 'hashStart'>): number => (hashStart + treeBlocks(dataBlocks)) * VERITY_BLOCK_BYTES;
