// Purpose: sources from git repositories.
// Owns: addresses of repositories, and how the host's git is run.
// Must not: know Dockerfiles, or what becomes of the files.
export { checkOut, folderWithin, type Checkout } from './checkout.ts';
export { isGitAddress, parseGitAddress, type GitAddress } from './git-address.ts';
