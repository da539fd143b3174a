// Purpose: turn API answers into the text people and scripts read: Go templates, tables, sizes, durations.
// Owns: the template language subset, Go's printf and JSON spelling, column layout, human units.
// Must not: do I/O, read the clock, know about flags or the API.

export { compileTemplate, type CompiledTemplate } from './template.ts';
export { TemplateError } from './template-error.ts';
export type { RenderOptions } from './template-run.ts';
export { formatRows, type Row, type RowFormat } from './rows.ts';
export { layoutTable } from './table.ts';
export { goJson, indentJson } from './go-json.ts';
export { humanSize, humanSizeWithPrecision, bytesSize } from './sizes.ts';
export { humanDuration, parseGoDuration, timeAgo } from './durations.ts';
export { ellipsis, shortId } from './text.ts';
export { goQuote } from './printf.ts';
