// Purpose: the task graph: order, content keys, and what makes two keys differ.
// Owns: buildGraph, taskKeys, whyDifferent; all pure.
// Must not: do I/O, read the clock, or import anything but the model.
export { canonicalJson } from './canonical.ts';
export { buildGraph, sourceTask, type Graph } from './graph.ts';
export { taskKeys, type KeyIngredients, type KeyOptions, type Sha256, type TaskKey } from './key.ts';
export { whyDifferent } from './why.ts';
