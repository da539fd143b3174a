// Purpose: reads and writes tar archives as dpkg, mkfs.erofs and our own steps exchange them.
// Owns: headers with PAX extended attributes, archives as indexed trees, deterministic order.
// Must not: know packages, or write outside the file it is given.
export { addTarWithDigests, deliverTree, deliverWithDigests, digestsOf, type KnownDigests } from './deliver.ts';
export type { TarEntry } from './entry.ts';
export { extractTree, readFolder } from './extract.ts';
export { indexTar, readTar, type IndexedEntry, type TarMember } from './read.ts';
export * from './root-tree.ts';
export { writeTar, type TarWriter } from './write.ts';
