/** Debian packages of the tools tree `image`: everything that the steps of this folder run. */
export const imageTools: readonly string[] = ['coreutils', 'dash', 'dosfstools', 'e2fsprogs', 'erofs-utils', 'gzip', 'mtools', 'xz-utils', 'zstd'];
