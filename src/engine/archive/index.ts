// Purpose: tar archives and compressed streams, read as they arrive.
// Owns: ustar, GNU and PAX formats, sparse files, hashing and decompression of streams.
// Must not: touch files, or know about images.
export { TarError } from './block-source.ts';
export { decompressed, hashed, peek, type HashedSource } from './sources.ts';
export type { SparseRange } from './tar-header.ts';
export { createTarReader, type TarEntry, type TarEntryType, type TarReader } from './tar-reader.ts';
export { TAR_END, tarHeaderBlocks, tarPadding, type TarMember } from './tar-writer.ts';
