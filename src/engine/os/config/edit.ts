import { EngineError } from '../../error.ts';
import { parseDocument } from './document.ts';
import { CONFIG_KEYS } from './keys.ts';
import { complaintText, isObject, keyOf, read, valueOf, type Complaint, type Described, type Json } from './read.ts';

/** The words of KEY ("os.sshKeys") and what may stand there. Throws EngineError 'CONFIG_KEY' for one that does not exist. */
export function findKey(key: string): { path: string[]; described: Described } {
  const path = key.split('.');
  let described: Described = CONFIG_KEYS;
  for (const [index, word] of path.entries()) {
    const next: Described | undefined = described.type === 'object' ? keyOf(described, word) : undefined;
    if (next === undefined) {
      const known = described.type === 'object' ? Object.keys(described.keys).filter((name) => !name.startsWith('$')) : [];
      const where = index === 0 ? '' : `${path.slice(0, index).join('.')} has `;
      throw new EngineError('invalid', 'CONFIG_KEY', `there is no key ${key}`, { hint: known.length === 0 ? `${path.slice(0, index).join('.')}: ${described.complaint ?? 'it has no keys below it'}` : `${where}${where === '' ? 'there are ' : ''}${known.join(', ')}` });
    }
    described = next;
  }
  return { path, described };
}

export function valueAt(document: Json | undefined, path: readonly string[]): Json | undefined {
  return path.reduce<Json | undefined>(valueOf, document);
}

/** VALUE as the key has it: text as it stands, anything else as JSON; one text alone is a list of it. */
export function readValue(described: Described, value: string): Json {
  if (described.type === 'string') return value;
  try {
    return JSON.parse(value) as Json;
  } catch {
    return described.type === 'array' && !value.trimStart().startsWith('[') ? [value] : value;
  }
}

/**
 * config.json with one value put in or taken out (undefined); everything else in it stays as it is, what is wrong too. Throws EngineError
 * 'CONFIG_VALUE' when the value is wrong. A text that cannot be read is replaced by the last good copy.
 */
export function edit(text: string | undefined, good: Json, key: string, value: string | undefined): string {
  const { path, described } = findKey(key);
  const json = value === undefined ? undefined : readValue(described, value);
  if (json !== undefined) refuseWrong(described, json, path);
  const parsed = parseDocument(text ?? '');
  const document = typeof parsed === 'string' ? good : parsed;
  return `${JSON.stringify(withValue(document, path, json), null, 2)}\n`;
}

function refuseWrong(described: Described, value: Json, path: readonly string[]): void {
  const complaints: Complaint[] = [];
  read(described, value, undefined, path, complaints);
  if (complaints.length > 0) throw new EngineError('invalid', 'CONFIG_VALUE', complaints.map(complaintText).join('\n'), { hint: `nothing was changed; ${path.join('.')} takes ${expectation(described)}` });
}

/** What a key takes, for hints. */
function expectation(described: Described): string {
  switch (described.type) {
    case 'boolean': return 'true or false';
    case 'integer': return `a whole number from ${described.minimum ?? 0}${described.maximum === undefined ? '' : ` to ${described.maximum}`}`;
    case 'string': return described.enum === undefined ? 'text' : described.enum.join(', ');
    case 'array': return `a list such as ["…", "…"]${described.maxItems === undefined ? '' : ` of at most ${described.maxItems}`}`;
    case 'object': return `an object${Object.keys(described.keys).length === 0 ? '' : ` with the keys ${Object.keys(described.keys).join(', ')}`}`;
  }
}

/** What is no object on the way is replaced by one; objects that are left empty go. */
function withValue(document: Json | undefined, [first, ...rest]: readonly string[], value: Json | undefined): Json | undefined {
  if (first === undefined) return value;
  const object = isObject(document) ? document : {};
  const inner = withValue(valueOf(object, first), rest, value);
  const others = Object.entries(object).filter(([key]) => key !== first);
  if (inner === undefined || (value === undefined && isObject(inner) && Object.keys(inner).length === 0)) return Object.fromEntries(others);
  return Object.hasOwn(object, first) ? Object.fromEntries(Object.entries(object).map(([key, old]) => [key, key === first ? inner : old])) : Object.fromEntries([...others, [first, inner]]);
}
