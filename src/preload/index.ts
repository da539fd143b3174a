// Purpose: applications that are in an image from the start: which images a compose file wants, of which bytes, and what the data partition holds of them.
// Owns: reading the compose file as the device will, images by platform in registries and archives, the plan.
// Must not: run programs, or know how images of disks are made.
export { bindSources, readApplications, type Applications } from './applications.ts';
export { planPreload, type PlannedPreload } from './plan.ts';
export { resolveImages, type ResolvedImage } from './resolve.ts';
export { finishStore, measureTree } from './store.ts';
