import { EngineError } from '../error.ts';

/** Reads a JSON object field by field: missing and null are the type's zero, a wrong type is the client's error. */
export interface Fields {
  names(): string[];
  raw(name: string): unknown;
  text(name: string): string;
  flag(name: string): boolean;
  number(name: string): number;
  optionalNumber(name: string): number | undefined;
  /** Those of the names that hold numbers. */
  numbers(names: readonly string[]): Record<string, number>;
  texts(name: string): string[] | null;
  /** A list, or one text that stands for a list of one. */
  textsOrText(name: string): string[] | null;
  textMap(name: string): Record<string, string> | undefined;
  /** The object's keys, each with an empty object. */
  keys(name: string): Record<string, object> | null;
  record(name: string): Fields | undefined;
  records(name: string): Fields[] | undefined;
}

export function createFields(value: unknown, where: string): Fields {
  if (!isRecord(value)) throw wrong(where, 'an object');
  // As Go's decoder, for which clients were written: a name in another case will do.
  let otherCase: Map<string, unknown> | undefined;
  const at = (name: string): unknown => {
    if (value[name] !== undefined) return value[name] ?? undefined;
    otherCase ??= new Map(Object.entries(value).map(([key, item]) => [key.toLowerCase(), item]));
    return otherCase.get(name.toLowerCase()) ?? undefined;
  };
  const typed = <T>(name: string, test: (item: unknown) => item is T, kind: string): T | undefined => {
    const item = at(name);
    if (item === undefined) return undefined;
    if (!test(item)) throw wrong(`${where}.${name}`, kind);
    return item;
  };
  const fields: Fields = {
    names: () => Object.keys(value),
    raw: at,
    text: (name) => typed(name, isText, 'a string') ?? '',
    flag: (name) => typed(name, isFlag, 'a boolean') ?? false,
    number: (name) => fields.optionalNumber(name) ?? 0,
    optionalNumber: (name) => withinInt64(typed(name, isInteger, 'a whole number')),
    numbers(names) {
      const found: Record<string, number> = {};
      for (const name of names) {
        const number = fields.optionalNumber(name);
        if (number !== undefined) found[name] = number;
      }
      return found;
    },
    texts: (name) => typed(name, isTexts, 'a list of strings') ?? null,
    textsOrText(name) {
      const item = at(name);
      return isText(item) ? [item] : fields.texts(name);
    },
    textMap: (name) => typed(name, isTextMap, 'an object of strings'),
    keys(name) {
      const record = typed(name, isRecord, 'an object');
      return record === undefined ? null : Object.fromEntries(Object.keys(record).map((key) => [key, {}]));
    },
    record(name) {
      const record = typed(name, isRecord, 'an object');
      return record === undefined ? undefined : createFields(record, `${where}.${name}`);
    },
    records(name) {
      const list = typed(name, Array.isArray, 'a list');
      return list?.map((item: unknown, index) => createFields(item, `${where}.${name}[${index}]`));
    },
  };
  return fields;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isFlag(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

function isInteger(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2 ** 63;
}

/** Clients write Go's largest int64 for "no limit"; read as a double it is one more, which they could not read back. */
function withinInt64(value: number | undefined): number | undefined {
  return value === 2 ** 63 ? 2 ** 63 - 1024 : value;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

function isTextMap(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every(isText);
}

function wrong(where: string, kind: string): EngineError {
  return new EngineError('invalid', 'BODY_INVALID', `invalid request body: ${where} must be ${kind}`);
}
