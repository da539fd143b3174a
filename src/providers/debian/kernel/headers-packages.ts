/** Name of the set of a machine's lock that its kernel's headers are in. */
export const headersSet = 'kernelHeaders';

export const imagePrefix = 'linux-image-';
const headersPrefix = 'linux-headers-';

/** The package of headers that goes with a kernel's package: `linux-image-amd64` → `linux-headers-amd64`; null for kernels that are not named as Debian's. */
export function headersPackage(kernel: string): string | null {
  return kernel.startsWith(imagePrefix) ? `${headersPrefix}${kernel.slice(imagePrefix.length).replace(/-unsigned$/, '')}` : null;
}

/** Of what apt adds to the headers those packages that belong to the kernel: compilers are whoever's who builds. */
export const isOfHeaders = (name: string): boolean => /^linux-(headers|kbuild)-/.test(name);
