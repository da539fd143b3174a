// Writes the reference pages of this folder from the engine's own tables.
import { build } from 'esbuild';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../../src/engine/cli/reference.ts', import.meta.url));
const { outputFiles } = await build({ entryPoints: [source], bundle: true, write: false, format: 'esm', platform: 'neutral', logLevel: 'warning' });
const code = outputFiles[0]?.text ?? '';
const { commandReference } = await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
writeFileSync(new URL('cli.md', import.meta.url), commandReference());
