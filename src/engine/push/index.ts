// Purpose: takes images from the store to registries, and no more of them than a registry lacks.
// Owns: which layers a registry may have already, their compression and progress, the manifest.
// Must not: know HTTP or how the store lays things out.
export { createPusher, type PushMessage, type Pusher, type PushRequest } from './pusher.ts';
