// Writes src/engine/os/config/keys.ts, config.json as the device reads it, from config.schema.json; with --check, fails where it differs.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, '..', 'engine', 'os', 'config', 'keys.ts');
const schema = JSON.parse(readFileSync(join(here, 'schemas', 'config.schema.json'), 'utf8'));

/** What the device checks (src/engine/os/config/read.ts), by type; anything else in the schema is an error here. */
const checks = {
  boolean: [],
  integer: ['minimum', 'maximum'],
  string: ['pattern', 'maxLength', 'enum'],
  array: ['items', 'maxItems'],
  object: ['properties', 'additionalProperties', 'propertyNames', 'required', 'anyOf', 'dependencies'],
};
const silent = ['description', 'title', '$id', '$schema', 'definitions', 'type', 'complaint'];

function described(given, path) {
  const { $ref, ...rest } = given;
  const node = $ref === undefined ? rest : { ...$ref.slice(2).split('/').reduce((place, key) => place[key], schema), ...rest };
  const known = checks[node.type];
  const strange = Object.keys(node).filter((key) => !silent.includes(key) && !known?.includes(key));
  if (known === undefined || strange.length > 0) throw new Error(`${path}: the device cannot check ${strange.join(', ') || `the type ${node.type}`}`);
  const { type, complaint } = node;
  const said = complaint === undefined ? {} : { complaint };
  if (type === 'object') {
    const values = node.additionalProperties;
    const { required, dependencies } = node;
    const anyOf = node.anyOf?.map((one) => {
      if (Object.keys(one).join() !== 'required' || one.required.length !== 1) throw new Error(`${path}: the device cannot check that anyOf`);
      return one.required[0];
    });
    if (values === undefined || values === true) throw new Error(`${path}: unknown keys would be taken`);
    return {
      type,
      keys: Object.fromEntries(Object.entries(node.properties ?? {}).map(([key, value]) => [key, described(value, `${path}.${key}`)])),
      ...(values === false ? {} : { names: node.propertyNames.pattern, values: described(values, `${path}.*`) }),
      ...(required === undefined ? {} : { required }),
      ...(anyOf === undefined ? {} : { anyOf }),
      ...(dependencies === undefined ? {} : { dependencies }),
      ...said,
    };
  }
  const limits = Object.fromEntries(known.filter((key) => key !== 'items' && node[key] !== undefined).map((key) => [key, node[key]]));
  return { type, ...limits, ...(type === 'array' ? { items: described(node.items, `${path}[]`) } : {}), ...said };
}

const word = (key) => (/^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key));
const quoted = (text) => `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;

function literal(value, indent = '') {
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `[${value.map((item) => literal(item)).join(', ')}]`;
  if (typeof value !== 'object') return String(value);
  const entries = Object.entries(value);
  if (value.type !== 'object' && value.type !== undefined) return `{ ${entries.map(([key, item]) => `${word(key)}: ${literal(item, indent)}`).join(', ')} }`;
  if (entries.length === 0) return '{}';
  return `{\n${entries.map(([key, item]) => `${indent}  ${word(key)}: ${literal(item, `${indent}  `)},\n`).join('')}${indent}}`;
}

const text = `// Generated from src/config/schemas/config.schema.json by src/config/generate-device-keys.mjs: edit the schema.
import type { ObjectKeys } from './read.ts';

/** Every key of config.json. */
export const CONFIG_KEYS: ObjectKeys = ${literal(described(schema, 'config.json'))};
`;
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    process.stderr.write('stale: src/engine/os/config/keys.ts; run: npm run generate\n');
    process.exitCode = 1;
  }
} else writeFileSync(target, text);
