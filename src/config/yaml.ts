import { readFile } from 'node:fs/promises';

import { isMap, LineCounter, parseDocument, type Document } from 'yaml';

import { OsbuildError } from '../model/index.ts';
import { violations, type SchemaName, type SchemaTypes, type Violation } from './validate.ts';

/** A place in a file as editors understand it: lines and columns from 1. */
interface Position {
  line: number;
  column: number;
}

/**
 * Reads a YAML file and checks it. Throws OSB_CONFIG_MISSING or OSB_CONFIG_INVALID; the latter lists every fault as
 * file:line:column with the path of its key and the nearest allowed word.
 */
export async function readYaml<S extends SchemaName>(schema: S, file: string): Promise<SchemaTypes[S]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new OsbuildError('OSB_CONFIG_MISSING', `cannot read ${file}`, { cause: error, hint: (error as Error).message });
  }
  return parseYaml(schema, text, file);
}

export function parseYaml<S extends SchemaName>(schema: S, text: string, file: string): SchemaTypes[S] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const syntax = document.errors.map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    return { line, column: col, path: '', message: error.message, hint: null };
  });
  if (syntax.length > 0) throw invalid(file, syntax);
  const data: unknown = document.toJS({ maxAliasCount: 100 }) ?? {};
  const found = violations(schema, data);
  if (found.length > 0) {
    throw invalid(
      file,
      found.map((violation) => ({ ...positionOf(document, violation, lines), path: pathText(violation.path), message: violation.message, hint: violation.hint })),
    );
  }
  return data as SchemaTypes[S];
}

interface Fault extends Position {
  path: string;
  message: string;
  hint: string | null;
}

function invalid(file: string, faults: Fault[]): OsbuildError {
  faults.sort((a, b) => a.line - b.line || a.column - b.column);
  const lines = faults.map((fault) => {
    const where = `${file}:${fault.line}:${fault.column}`;
    return `${where}: ${fault.path ? `${fault.path}: ` : ''}${fault.message}${fault.hint ? ` (${fault.hint})` : ''}`;
  });
  return new OsbuildError('OSB_CONFIG_INVALID', lines.join('\n'), { details: { file, faults } });
}

function pathText(path: (string | number)[]): string {
  return path.map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`)).join('');
}

/** Position of the offending key or value; of the nearest thing around it that the file really has. */
function positionOf(document: Document, violation: Violation, lines: LineCounter): Position {
  for (let length = violation.path.length; length >= 0; length--) {
    const path = violation.path.slice(0, length);
    const offset = violation.atKey && length === violation.path.length ? keyOffset(document, path) : valueOffset(document, path);
    if (offset !== null) {
      const { line, col } = lines.linePos(offset);
      return { line, column: col };
    }
  }
  return { line: 1, column: 1 };
}

function keyOffset(document: Document, path: (string | number)[]): number | null {
  const parent = document.getIn(path.slice(0, -1), true);
  const map = path.length === 1 ? document.contents : parent;
  if (!isMap(map)) return null;
  const pair = map.items.find((item) => String((item.key as { value?: unknown }).value) === String(path.at(-1)));
  return (pair?.key as { range?: [number, number, number] } | undefined)?.range?.[0] ?? null;
}

function valueOffset(document: Document, path: (string | number)[]): number | null {
  const node = path.length === 0 ? document.contents : document.getIn(path, true);
  return (node as { range?: [number, number, number] } | null | undefined)?.range?.[0] ?? null;
}
