// Purpose: images as archives that docker load and OCI tools read.
// Owns: which names mean which images, the layout of the archive and its documents.
// Must not: know HTTP, or how the store lays layers out.
export { planSave, type SavePlan } from './save-plan.ts';
export { selectImages, taggedImages, type ImageSelection } from './selection.ts';
export { saveArchive } from './save-archive.ts';
