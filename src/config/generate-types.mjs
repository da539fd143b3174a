// Writes src/model/schema/*.ts from src/config/schemas/*.json; with --check, fails where a file differs.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, '..', 'model', 'schema');
const schemas = { build: 'BuildConfig', config: 'DeviceConfig', machine: 'Machine', recipe: 'Recipe' };

/** Without what says which keys need each other: the types would lose the keys themselves over it. */
function plain(node) {
  if (Array.isArray(node)) return node.map(plain);
  if (typeof node !== 'object' || node === null) return node;
  const needs = node.properties !== undefined && node.anyOf?.every((one) => Object.keys(one).join() === 'required');
  return Object.fromEntries(Object.entries(node).filter(([key]) => !(needs && key === 'anyOf')).map(([key, value]) => [key, plain(value)]));
}

const files = new Map();
for (const schema of Object.keys(schemas)) {
  const text = await compile(plain(JSON.parse(readFileSync(join(here, 'schemas', `${schema}.schema.json`), 'utf8'))), schema, {
    cwd: join(here, 'schemas'),
    bannerComment: `// Generated from src/config/schemas/${schema}.schema.json by src/config/generate-types.mjs: edit the schema.`,
    declareExternallyReferenced: schema !== 'build',
    additionalProperties: false,
    strictIndexSignatures: false,
    // A list of at most 16 is a list, not 17 tuples.
    ignoreMinAndMaxItems: schema === 'config',
    style: { singleQuote: true, printWidth: 140 },
  });
  const needsConfig = schema === 'build';
  files.set(`${schema}.ts`, needsConfig ? text.replace('\n\n', "\nimport type { DeviceConfig } from './config.ts';\n\n") : text);
}
const line = ([schema, name]) => `export type { ${name === 'BuildConfig' ? 'BuildConfig as Build' : name} } from './${schema}.ts';\n`;
files.set('index.ts', Object.entries(schemas).map(line).join(''));

mkdirSync(target, { recursive: true });
for (const [name, text] of files) {
  const path = join(target, name);
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  if (process.argv.includes('--check')) {
    process.stderr.write(`stale: src/model/schema/${name}; run: node src/config/generate-types.mjs\n`);
    process.exitCode = 1;
  } else writeFileSync(path, text);
}
