// Purpose: Dockerfiles as data: instructions, stages, words and variables.
// Owns: the Dockerfile's grammar and its expansion of variables.
// Must not: read files, or know how instructions are carried out.
export { dockerfileError } from './dockerfile-error.ts';
export { expandWord, type Variables } from './expand.ts';
export type { Heredoc } from './heredoc.ts';
export type { CommandForm, CopyOptions, Dockerfile, Instruction, InstructionOf, Stage } from './instructions.ts';
export { parseDockerfile, parseTrigger } from './parse.ts';
export { splitWords } from './words.ts';
