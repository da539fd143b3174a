// Purpose: releases into registries, with deltas from the releases before them.
// Owns: what a release's archive says of itself, what goes with it, which releases a delta is made from, the order in which things are put there.
// Must not: speak HTTP, make images or deltas itself, read the environment.
export { openArchive, type ImageArchive } from './archive.ts';
export { attachmentEnds, besideRelease, type Attachment } from './attachment.ts';
export { chooseBases, heldRelease, type HeldRelease } from './bases.ts';
export { fetchArchive } from './fetch.ts';
export { publishRelease, step, type Base, type DeltaMaker, type PublishedRelease, type PublishOptions } from './publish.ts';
export { checkSigned, readRelease, type ReleaseImage } from './release.ts';
