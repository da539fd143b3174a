// Purpose: Docker's API over HTTP: routes, shapes, errors.
// Owns: everything that a client sees.
// Must not: decide how containers or images work.
export type { ApiContext } from './context.ts';
export { createApi } from './serve.ts';
