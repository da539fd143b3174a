// Purpose: brings images from registries into the store, layer by layer, in one piece or not at all.
// Owns: which layers are wanted, their transfers and progress, what a broken pull leaves for the next.
// Must not: know HTTP or how the store lays things out.
export { pullFailure } from './failure.ts';
export { createLimiter, type Limiter } from './limiter.ts';
export { layerId, transferring, type PullMessage, type Report } from './messages.ts';
export { createPuller, HOLD_MS, type DeltaMode, type Puller, type PullRequest } from './puller.ts';
