// Purpose: tells people and machines what the build does: a live list, plain lines, or NDJSON.
// Owns: listr2 and the wording of progress.
// Must not: change what happens, or write anywhere but to the streams handed in.
export { jsonReporter } from './json.ts';
export { plainReporter } from './plain.ts';
export type { Reporter, Streams } from './reporter.ts';
export { terminalReporter } from './terminal.ts';
export { bytesText, durationText, logText } from './text.ts';
