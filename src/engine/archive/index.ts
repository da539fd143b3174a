// Purpose: tar archives and compressed streams, read as they arrive.
// Owns: ustar, GNU and PAX formats, sparse files, hashing and decompression of streams.
// Must not: touch files, or know about images.
export { createBlockSource, TarError, type BlockSource } from './block-source.ts';
export { decompressed, hashed, peek, type Compression, type HashedSource } from './sources.ts';
export { TAR_END, type SparseRange, type TarEntry, type TarEntryType, type TarMember } from './tar-entry.ts';
export { parseTarHeader } from './tar-header.ts';
export { createTarReader, type TarReader } from './tar-reader.ts';
export { tarHeaderBlocks, tarPadding } from './tar-writer.ts';
