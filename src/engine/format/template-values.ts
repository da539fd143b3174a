import { TemplateError } from './template-error.ts';

export type GoMap = { readonly [key: string]: unknown };

export function isMap(value: unknown): value is GoMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === 0 || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return isMap(value) && Object.keys(value).length === 0;
}

export function sortedKeys(map: GoMap): string[] {
  return Object.keys(map).sort();
}

/** A value as Go's %v writes it; nil inside a list or map is "<nil>". */
export function printValue(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (typeof value === 'number') return printNumber(value);
  if (Array.isArray(value)) return `[${value.map(printValue).join(' ')}]`;
  if (isMap(value)) return `map[${sortedKeys(value).map((key) => `${key}:${printValue(value[key])}`).join(' ')}]`;
  return String(value);
}

export function printNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return String(value);
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  return String(value).replace(/e([+-])(\d)$/, 'e$10$2');
}

/** What an action that ends in this value puts out. */
export function printResult(value: unknown): string {
  return value === null || value === undefined ? '<no value>' : printValue(value);
}

export function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'nil';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  if (Array.isArray(value)) return '[]interface {}';
  return typeof value === 'string' ? 'string' : 'map[string]interface {}';
}

export function equalValues(left: unknown, right: unknown): boolean {
  if (left === undefined || left === null || right === undefined || right === null) return (left ?? null) === (right ?? null);
  if (typeof left !== typeof right) throw new TemplateError('incompatible types for comparison');
  if (typeof left === 'object') throw new TemplateError('invalid type for comparison');
  return left === right;
}

export function lessThan(left: unknown, right: unknown): boolean {
  if (typeof left === 'number' && typeof right === 'number') return left < right;
  if (typeof left === 'string' && typeof right === 'string') return left < right;
  if (typeof left !== typeof right) throw new TemplateError('incompatible types for comparison');
  throw new TemplateError('invalid type for comparison');
}
