import { parseMemoryBytes } from '../cli/flags/flag-kinds.ts';
import { messageOf } from '../error.ts';
import { parseGoDuration } from '../format/index.ts';
import { interpolate, type Lookup } from './interpolate.ts';
import type { YamlNode } from './yaml/index.ts';

/** Something to tell about a place of a compose file. */
export interface Remark {
  readonly line: number;
  /** The keys that lead there: services.web.ports. */
  readonly where: string;
  readonly what: string;
}

/** Takes what is found wrong, so that all of it is told at once. */
export interface Notes {
  readonly errors: Remark[];
  readonly warnings: Remark[];
  readonly lookup: Lookup;
}

export const remarkText = ({ line, where, what }: Remark): string => `line ${line}${where === '' ? '' : `: ${where}`}: ${what}`;

/** A value in a compose file, and where it stands. What cannot be read is noted, and left out. */
export class Field {
  readonly node: YamlNode;
  readonly where: string;
  readonly notes: Notes;

  constructor(node: YamlNode, where: string, notes: Notes) {
    this.node = node;
    this.where = where;
    this.notes = notes;
  }

  fail(what: string): undefined {
    this.notes.errors.push({ line: this.node.line, where: this.where, what });
  }

  warn(what: string): void {
    this.notes.warnings.push({ line: this.node.line, where: this.where, what });
  }

  /** Runs what throws about a value. */
  attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      return this.fail(messageOf(error));
    }
  }

  get isMap(): boolean {
    return this.node.kind === 'map';
  }

  get isList(): boolean {
    return this.node.kind === 'list';
  }

  get isNull(): boolean {
    return this.node.kind === 'scalar' && this.node.value === null;
  }

  /** The keys of a mapping; nothing at all is one without keys. */
  entries(): [string, Field][] {
    if (this.isNull) return [];
    if (this.node.kind !== 'map') return this.fail('has to be a mapping (key: value)') ?? [];
    return [...this.node.entries].map(([key, node]) => [key, this.inside(key, node)]);
  }

  get(key: string): Field | undefined {
    const node = this.node.kind === 'map' ? this.node.entries.get(key) : undefined;
    return node === undefined ? undefined : this.inside(key, node);
  }

  private inside(key: string, node: YamlNode): Field {
    return new Field(node, this.where === '' ? key : `${this.where}.${key}`, this.notes);
  }

  /** Names keys that mean nothing here. */
  only(...keys: readonly string[]): this {
    for (const [key, field] of this.entries()) if (!keys.includes(key) && !key.startsWith('x-')) field.fail('there is no such key here');
    return this;
  }

  items(): Field[] {
    if (this.isNull) return [];
    if (this.node.kind !== 'list') return this.fail('has to be a list') ?? [];
    return this.node.items.map((node, index) => new Field(node, `${this.where}[${index}]`, this.notes));
  }

  /** A scalar as text, variables put in; null stays null. */
  scalar(): string | null | undefined {
    const { node } = this;
    if (node.kind !== 'scalar') return this.fail('has to be one value');
    const { value, text } = node;
    if (typeof value === 'string') return this.attempt(() => interpolate(value, this.notes.lookup, (name) => this.warn(`the variable ${name} is not set: it counts as empty`)));
    return value === null ? null : typeof value === 'number' && (Number.isSafeInteger(value) || !Number.isInteger(value)) ? String(value) : text;
  }

  text(): string | undefined {
    return this.scalar() ?? (this.isNull ? this.fail('has no value') : undefined);
  }

  flag(): boolean | undefined {
    const text = this.scalar()?.toLowerCase();
    if (text === undefined) return this.isNull ? this.fail('has to be true or false') : undefined;
    return ['true', 'yes', 'on', '1', 'y'].includes(text) ? true : ['false', 'no', 'off', '0', 'n'].includes(text) ? false : this.fail('has to be true or false');
  }

  private measure(read: (text: string) => number | null, what: string): number | undefined {
    const text = this.text();
    if (text === undefined) return undefined;
    const value = read(text);
    return value === null || Number.isNaN(value) ? this.fail(`${JSON.stringify(text)} is no ${what}`) : value;
  }

  integer(): number | undefined {
    return this.measure((text) => (/^-?\d+$/.test(text) ? Number(text) : null), 'whole number');
  }

  number(): number | undefined {
    return this.measure((text) => (/^-?(?:\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : null), 'number');
  }

  bytes(): number | undefined {
    return this.measure((text) => (text === '-1' ? -1 : parseMemoryBytes(text)), 'size (64m, 1g, or bytes)');
  }

  nanoseconds(): number | undefined {
    return this.measure((text) => {
      const days = /^(?:(\d+)d)?(.*)$/.exec(text);
      return days?.[1] === undefined ? parseGoDuration(text) : Number(days[1]) * 86_400e9 + (days[2] === '' ? 0 : parseGoDuration(days[2] ?? '') ?? NaN);
    }, 'span of time (10s, 1m30s)');
  }

  /** One value or a list of values. */
  texts(): string[] {
    return this.isList ? this.items().flatMap((item) => item.text() ?? []) : [this.text() ?? []].flat();
  }

  /** A mapping, or a list of "name=value"; null for a name alone. */
  pairs(): Map<string, string | null> {
    if (!this.isList) return new Map(this.entries().map(([key, field]) => [key, field.scalar() ?? null]));
    return new Map(this.items().map((item): [string, string | null] => {
      const text = item.text() ?? '';
      const equals = text.indexOf('=');
      return equals === -1 ? [text, null] : [text.slice(0, equals), text.slice(equals + 1)];
    }));
  }

  /** The same where a name alone means an empty value. */
  labels(): Record<string, string> {
    return Object.fromEntries([...this.pairs()].map(([name, value]) => [name, value ?? '']));
  }

  /** A command: a list of words, or a line that is split as a shell would; null says that there is none. */
  words(): string[] | null | undefined {
    if (this.isNull) return null;
    if (this.isList) return this.texts();
    const line = this.text();
    return line === undefined ? undefined : this.attempt(() => splitLine(line));
  }
}

/** Words of a line: quotes and backslashes work, variables and patterns do not. */
export function splitLine(line: string): string[] {
  const words: string[] = [];
  const pattern = /\s*((?:[^\s"'\\]|\\[^]|"(?:[^"\\]|\\[^])*"|'[^']*')+)/y;
  let end = 0;
  for (let match = pattern.exec(line); match !== null; match = pattern.exec(line)) {
    end = pattern.lastIndex;
    words.push((match[1] ?? '').replaceAll(/\\([^])|"((?:[^"\\]|\\[^])*)"|'([^']*)'/g, (_, escaped?: string, double?: string, single?: string) => escaped ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? single ?? ''));
  }
  if (line.slice(end).trim() !== '') throw new Error('a quote is not closed');
  return words;
}
