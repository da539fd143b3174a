import { describe, expect, it } from 'vitest';
import { formatRows, layoutTable } from '../../../src/engine/format/index.ts';

const titles = { ID: 'CONTAINER ID', Names: 'NAMES', Size: 'SIZE', Labels: 'LABELS' };
const rows = [
  { ID: 'aaaaaaaaaaaa', Names: 'web', Size: '1MB', Label: (name: unknown) => (name === 'a.b_c' ? 'v' : '') },
  { ID: 'bbbbbbbbbbbb', Names: 'a-much-longer-name', Size: '0B', Label: (_name: unknown) => '' },
];
const spec = (format: string, quiet: string | null = null) => ({ format, quiet, titles, defaultTable: '{{.ID}}\t{{.Names}}\t{{.Size}}' });

describe('rows', () => {
  it('lays out the plain table with three spaces between columns', () => {
    expect(formatRows(rows, spec(''))).toBe(
      'CONTAINER ID   NAMES                SIZE\naaaaaaaaaaaa   web                  1MB\nbbbbbbbbbbbb   a-much-longer-name   0B\n');
  });
  it('gives only the header without rows', () => {
    expect(formatRows([], spec('table'))).toBe('CONTAINER ID   NAMES     SIZE\n');
  });
  it('takes a template after the word table, with a title from a label', () => {
    expect(formatRows(rows, spec('table {{.Names}}\\t{{.Label "a.b_c"}}'))).toBe('NAMES                b c\nweb                  v\na-much-longer-name   \n'.replace('b c', 'b c'));
  });
  it('functions leave titles alone', () => {
    expect(formatRows(rows.slice(0, 1), spec('table {{upper .Names}}\t{{lower .ID}}'))).toBe('NAMES     CONTAINER ID\nWEB       aaaaaaaaaaaa\n');
  });
  it('prints ids alone when quiet, unless a template is given', () => {
    expect(formatRows(rows, spec('', '{{.ID}}'))).toBe('aaaaaaaaaaaa\nbbbbbbbbbbbb\n');
    expect(formatRows(rows, spec('{{.Names}}', '{{.ID}}'))).toBe('web\na-much-longer-name\n');
  });
  it('json sorts keys and leaves methods out', () => {
    expect(formatRows(rows.slice(0, 1), spec('json'))).toBe('{"ID":"aaaaaaaaaaaa","Names":"web","Size":"1MB"}\n');
    expect(formatRows(rows.slice(0, 1), spec('{{json .}}'))).toBe('{"ID":"aaaaaaaaaaaa","Names":"web","Size":"1MB"}\n');
  });
  it('an unknown field is an error', () => {
    expect(() => formatRows(rows, spec('{{.Nope}}'))).toThrow('Nope');
  });
});

describe('layoutTable', () => {
  it('never pads the last cell, and counts characters, not bytes', () => {
    expect(layoutTable(['a\tb', 'été-été-été\tc'])).toEqual(['a             b', 'été-été-été   c']);
  });
  it('a line with fewer cells ends a column', () => {
    expect(layoutTable(['aaaaaaaaaaaaaa\tb', 'x', 'c\td'])).toEqual(['aaaaaaaaaaaaaa   b', 'x', 'c         d']);
  });
});
