#!/usr/bin/env node
// Runs the same docker commands against Docker and minke, and writes docs/engine/conformance-cli.md: node test/conformance/cli.mjs
//
// OSBUILD_ENGINE_BINARY names the engine (default: out/engine/amd64/minke). Needs root, and dockerd installed (not running).
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('../..', import.meta.url));
if (spawnSync('sh', ['-c', 'command -v dockerd']).status !== 0) {
  process.stdout.write('skipped: dockerd is not installed\n');
} else {
  process.env.OSBUILD_ENGINE_BINARY ??= `${home}out/engine/amd64/minke`;
  const bundle = fileURLToPath(new URL(`../../node_modules/.conformance-cli-${process.pid}.mjs`, import.meta.url));
  try {
    await build({ entryPoints: [fileURLToPath(new URL('cli/run.ts', import.meta.url))], bundle: true, outfile: bundle, format: 'esm', platform: 'node', logLevel: 'warning' });
    const { runCliConformance } = await import(bundle);
    const reasons = JSON.parse(readFileSync(new URL('cli/reasons.json', import.meta.url), 'utf8'));
    process.exitCode = await runCliConformance(home, reasons, (line) => process.stdout.write(`${line}\n`));
  } finally {
    rmSync(bundle, { force: true });
  }
}
