/** Debian packages of the tools tree `image`: everything that the steps of this folder run. */
export const imageTools: readonly string[] = ['coreutils', 'dash', 'dosfstools', 'e2fsprogs', 'erofs-utils', 'gzip', 'mtools', 'xz-utils', 'zstd'];

/** Those of the tree that fills a data partition: mke2fs reads archives through libarchive, GNU tar writes their extended attributes. */
export const preloadTools: readonly string[] = ['coreutils', 'dash', 'e2fsprogs', 'libarchive13t64', 'tar'];
