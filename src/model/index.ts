// Purpose: the nouns of the build: machines, recipes, packages, tasks, events, errors.
// Owns: types and constants alone.
// Must not: import anything from outside this folder, or do anything.
export * from './arch.ts';
export * from './debian.ts';
export * from './error.ts';
export * from './event.ts';
export * from './execution.ts';
export * from './provider.ts';
export * from './schema/index.ts';
export * from './steps.ts';
export * from './task.ts';
