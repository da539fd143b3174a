#!/usr/bin/env node
// Builds the image of every machine, one after the other, and with --boot runs the boot test of those that QEMU has a board for:
// seconds of each, what was taken from the cache, sizes. Prints a Markdown table; ends with 1 where anything failed. The nightly run.
//
//   node bench/fleet.mjs [--machine a,b] [--boot] [--cache FOLDER]
//
// Images are left in out/<machine>. The first machine finds an empty cache (one in a temporary folder, unless --cache names one), the later ones what they have in common.
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { $ } from 'zx';

const { values } = parseArgs({ options: { machine: { type: 'string' }, boot: { type: 'boolean', default: false }, cache: { type: 'string' } } });
const home = join(dirname(fileURLToPath(import.meta.url)), '..');
$.verbose = false;

const work = await mkdtemp(join(tmpdir(), 'osbuild-fleet-'));
const cache = values.cache ?? join(work, 'cache');
const env = { ...process.env, OSBUILD_CACHE_DIR: cache };

/** Runs osbuild and returns its events, how it ended, and the seconds it took. */
async function osbuild(...words) {
  const begin = performance.now();
  const { stdout, stderr, exitCode } = await $({ env, nothrow: true })`${join(home, 'osbuild')} ${words} --json`;
  return { events: stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line)), stderr, exitCode, seconds: (performance.now() - begin) / 1000 };
}

const { events } = await osbuild('machines');
const all = events.filter(({ name }) => name !== undefined);
const wanted = values.machine?.split(',');
const machines = all.filter(({ name }) => wanted === undefined || wanted.includes(name));
const unknown = wanted?.filter((name) => !all.some((machine) => machine.name === name)) ?? [];
if (unknown.length > 0) throw new Error(`no such machine: ${unknown.join(', ')}`);

const megabytes = (count) => `${(count / 1e6).toFixed(0)} MB`;
const firstLine = (result) => (result.events.findLast(({ type }) => type === 'task-failed')?.message ?? result.stderr.trim()).split('\n')[0];
let failures = 0;

async function build(machine) {
  const result = await osbuild('image', '--machine', machine.name);
  if (result.exitCode !== 0) {
    failures++;
    return [result.seconds.toFixed(0), `failed: ${firstLine(result)}`, ''];
  }
  const plan = result.events.find(({ type }) => type === 'plan');
  const image = result.events.find(({ type, path }) => type === 'artifact' && path.endsWith('.img.zst'));
  return [result.seconds.toFixed(0), `${plan.toRun.length} of ${plan.tasks}`, megabytes(image.sizeBytes)];
}

async function boot(machine) {
  if (!values.boot) return [];
  if (!machine.qemu) return ['–', 'no lane'];
  const result = await osbuild('test', '--machine', machine.name);
  const checks = result.events.filter(({ type }) => type === 'check');
  const passed = checks.filter(({ outcome }) => outcome === 'passed').length;
  if (result.exitCode === 0) return [result.seconds.toFixed(0), `${passed} checks`];
  failures++;
  return [result.seconds.toFixed(0), `failed: ${checks.find(({ outcome }) => outcome === 'failed')?.name ?? firstLine(result)}`];
}

console.log(`${cpus().length} × ${cpus()[0].model}, ${new Date().toISOString().slice(0, 10)}\n`);
console.log(`| machine | build, s | tasks that ran | image |${values.boot ? ' boot test, s | result |' : ''}`);
console.log(`| --- | --- | --- | --- |${values.boot ? ' --- | --- |' : ''}`);
try {
  for (const machine of machines) console.log(`| ${[`\`${machine.name}\``, ...(await build(machine)), ...(await boot(machine))].join(' | ')} |`);
} finally {
  await rm(work, { recursive: true, force: true });
}
process.exitCode = failures === 0 ? 0 : 1;
