// Purpose: what is known to be wrong with the packages of an image.
// Owns: the order of Debian's versions.
// Must not: build anything, or touch the network.
export { compareDebianVersions } from './version.ts';
