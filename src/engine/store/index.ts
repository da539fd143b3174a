// Purpose: the engine's durable state as small documents below the data root.
// Owns: folders, the lock against a second daemon, the format's version, atomic documents.
// Must not: know what the documents mean.
export { enginePaths, openDataRoot, type DataRoot, type Paths } from './data-root.ts';
export { isFull } from './reserve.ts';
export { createQueue, readDocument, setAside, STORE_FORMAT, writeDocument, type OnDamage, type Queue } from './documents.ts';
