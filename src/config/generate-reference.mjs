// Writes docs/reference.md from the JSON Schemas; with --check, fails where it differs.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, '..', '..', 'docs', 'reference.md');
const titles = {
  build: 'build.config.yaml',
  machine: 'machines/<name>.yaml',
  recipe: 'recipes/<name>/recipe.yaml',
  config: 'config.json on the boot partition',
};

const load = (name) => JSON.parse(readFileSync(join(here, 'schemas', name), 'utf8'));

function rows(schema, root, path, out) {
  for (const [key, raw] of Object.entries(schema.properties ?? {})) {
    if (key === '$schema') continue;
    const property = resolve(raw, root);
    const name = path ? `${path}.${key}` : key;
    const required = (schema.required ?? []).includes(key) ? ' **required**' : '';
    const text = raw.description ?? property.description ?? '';
    out.push(`| \`${name}\` | ${typeOf(property, root)} | ${text.replaceAll('|', '\\|')}${property.default === undefined ? '' : ` Default: \`${property.default}\`.`}${required} |`);
    descend(property, root, name, out);
  }
}

function descend(property, root, name, out) {
  if (property.$external) return;
  if (property.type === 'object') rows(property, root, name, out);
  if (property.type === 'array') descend(resolve(property.items, root), root, `${name}[]`, out);
  if (typeof property.additionalProperties === 'object') descend(resolve(property.additionalProperties, root), root, `${name}.<path>`, out);
  for (const branch of property.oneOf ?? []) {
    const chosen = Object.entries(branch.properties ?? {}).find(([, value]) => value.const !== undefined);
    if (chosen) rows({ ...branch, properties: Object.fromEntries(Object.entries(branch.properties).filter(([key]) => key !== chosen[0])) }, root, `${name} (${chosen[0]}: ${chosen[1].const})`, out);
    else descend(branch, root, name, out);
  }
}

function resolve(schema, root) {
  if (schema?.$ref?.startsWith('#/')) return schema.$ref.slice(2).split('/').reduce((node, key) => node[key], root);
  if (schema?.$ref) return { type: 'object', $external: true, description: 'As in config.json, below.' };
  return schema;
}

function typeOf(schema, root) {
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.type === 'array') return `list of ${typeOf(resolve(schema.items, root), root)}`;
  if (schema.oneOf) return schema.oneOf.map((branch) => typeOf(resolve(branch, root), root)).filter((text, index, all) => all.indexOf(text) === index).join(' or ');
  if (schema.type === 'object' || schema.properties) return 'keys';
  return { string: 'text', integer: 'whole number', boolean: 'true or false' }[schema.type] ?? schema.type ?? '';
}

let text = '# Reference of the configuration files\n\nGenerated from src/config/schemas by `npm run generate`. Editors complete these keys: each file names its schema in its first line.\n';
for (const [name, title] of Object.entries(titles)) {
  const schema = load(`${name}.schema.json`);
  const out = [];
  rows(schema, schema, '', out);
  text += `\n## ${title}\n\n${schema.description}\n\n| key | value | meaning |\n|---|---|---|\n${out.join('\n')}\n`;
}
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    process.stderr.write('stale: docs/reference.md; run: npm run generate\n');
    process.exitCode = 1;
  }
} else writeFileSync(target, text);
