// Purpose: images as differences to others: the format, how it is made, and how the exact layers come out of it again.
// Owns: docs/delta-format.md in code, what a delta image looks like, which base files resemble a new one.
// Must not: know HTTP, registries, or how the store lays layers out.
export { applyDelta, readDeltaHead } from './apply.ts';
export { openBase, type BaseLayer, type DeltaBase } from './base.ts';
export { indexBase, type BaseIndex } from './candidates.ts';
export { createDelta, type DeltaTarget } from './create.ts';
export type { DeltaHead } from './container.ts';
export { createDeltas, type Deltas } from './deltas.ts';
// What a delta image looks like needs nothing of the codec: delta-image.ts is taken by itself.
