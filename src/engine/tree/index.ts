// Purpose: trees of files as the members of an archive.
// Owns: what of a file an archive keeps, and in which order a tree stands in it.
// Must not: know containers, images, or where an archive goes.
export { describeMember, memberContent, treeArchive } from './tree-archive.ts';
