#!/usr/bin/env node
// Has real bitbake read all recipes and plan the image of each machine that the Yocto provider knows, over checkouts of the
// layers, and prints what came of it: a Markdown table (that of docs/yocto.md), or with --json one line a machine.
//
//   node bench/yocto.mjs --layers <folder> [--machine qemuarm64]... [--all-recipes | --planned <file> | --board-only] [--json]
//
// The folder holds a checkout of each layer under its name in build.config.yaml, bitbake among them. Without --all-recipes
// BBMASK leaves out recipes of general layers that no image of ours is made of: reading them takes most of the time. With --planned,
// a file of lines that --json has printed, it leaves out all of them that no image was made of then; with --board-only all of them,
// and what a board's layers, kernel, boot loader and the image ask of them is taken as there.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { parse, stringify } from 'yaml';

import { boardOnly, folderMasks, plannedMasks, sdkParts } from './yocto-masks.mjs';

const home = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({
  options: { layers: { type: 'string' }, machine: { type: 'string', multiple: true }, planned: { type: 'string' }, 'board-only': { type: 'boolean', default: false }, 'all-recipes': { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
});
if (values.layers === undefined) {
  console.error('--layers: a folder with checkouts of bitbake and of the layers that build.config.yaml names');
  process.exit(2);
}
const folder = resolve(values.layers);
const { yocto } = parse(readFileSync(join(home, 'build.config.yaml'), 'utf8'));
const known = readdirSync(join(home, 'machines')).filter((file) => file.endsWith('.yaml')).map((file) => ({ name: file.replace(/\.yaml$/, ''), ...parse(readFileSync(join(home, 'machines', file), 'utf8')) }));
const supported = known.filter((machine) => machine.yocto !== undefined).toSorted((a, b) => a.name.localeCompare(b.name, 'en'));
const wanted = values.machine ?? supported.map(({ name }) => name);

/** Plans that bitbake has made already: lines of --json. */
const planned = values.planned === undefined ? null : readFileSync(values.planned, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter(({ type }) => type === 'inspection');
const git = (path, ...words) => spawnSync('git', ['-C', path, ...words], { encoding: 'utf8' }).stdout.trim();
const used = new Set(['bitbake', 'openembedded-core', ...yocto.use, ...supported.filter(({ name }) => wanted.includes(name)).flatMap((machine) => machine.yocto.layers ?? [])]);
for (const name of used) {
  if (!existsSync(join(folder, name))) {
    console.error(`there is no checkout ${join(folder, name)}`);
    process.exit(2);
  }
  const head = git(join(folder, name), 'rev-parse', 'HEAD');
  if (head !== yocto.layers[name].commit) console.error(`${name} is at ${head || 'no commit'}, build.config.yaml says ${yocto.layers[name].commit}`);
}

const project = mkdtempSync(join(tmpdir(), 'osbuild-yocto-'));
const layers = Object.fromEntries(Object.entries(yocto.layers).filter(([name]) => used.has(name)).map(([name, { folders }]) => [name, { path: join(folder, name), ...(folders ? { folders } : {}) }]));
const bitbakeFiles = (path) => readdirSync(path, { recursive: true }).filter((file) => file.endsWith('.bb')).map((file) => join(path, file));
function left() {
  if (values['all-recipes']) return { masks: [], provided: [] };
  if (planned !== null) return { masks: plannedMasks(planned), provided: sdkParts };
  // An image's tasks for an SDK are in its graph as well, with recipes that no image is made of.
  if (!values['board-only']) return { masks: folderMasks, provided: sdkParts };
  const boards = [...used].filter((name) => !['bitbake', 'openembedded-core', ...yocto.use].includes(name));
  const own = bitbakeFiles(join(home, 'layers/meta-minke')).map((file) => basename(file, '.bb').split('_')[0]);
  return boardOnly(boards.flatMap((name) => (yocto.layers[name].folders ?? ['.']).flatMap((inside) => bitbakeFiles(join(folder, name, inside)))), own);
}
const { masks, provided } = left();
// BBMASK decides which recipes are read, and nothing of any: with another one what was read stays valid.
const settings = { BB_NO_NETWORK: '1', CONNECTIVITY_CHECK_URIS: '', 'BB_HASHCONFIG_IGNORE_VARS:append': ' BBMASK ASSUME_PROVIDED', BB_DANGLINGAPPENDS_WARNONLY: '1', ...(masks.length === 0 ? {} : { BBMASK: masks.join(' ') }), ...(provided.length === 0 ? {} : { 'ASSUME_PROVIDED:append': ` ${provided.join(' ')}` }) };
writeFileSync(join(project, 'build.config.yaml'), stringify({ base: 'osbuild', yocto: { layers, settings } }, { lineWidth: 0 }));

function inspect(name) {
  const run = spawnSync(join(home, 'osbuild'), ['yocto', 'inspect', '--json', '-C', project, '--machine', name], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const lines = run.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  const found = lines.find(({ type }) => type === 'inspection');
  if (found) return { found, problem: '' };
  const { message, details } = lines.find(({ type }) => type === 'error') ?? {};
  return { found: null, problem: [message ?? run.stderr.trim(), ...(details?.log?.tail ?? [])].join('\n    ') };
}

const seen = [];
let failed = 0;
try {
  for (const name of wanted) {
    const started = performance.now();
    const { found, problem } = inspect(name);
    if (found) {
      seen.push(found);
      if (values.json) console.log(JSON.stringify(found));
    } else {
      failed++;
      console.error(`${name}: ${problem}`);
    }
    console.error(`${name}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
} finally {
  rmSync(project, { recursive: true, force: true });
}

if (!values.json) {
  const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
  const chosen = (one) => (one === null ? 'none' : `${one.recipe} ${one.version.replace(/-r\d+$/, '')}`);
  console.log(`bitbake on ${cpus().length} processors (${cpus()[0].model}); ${[...used].map((name) => `${name} ${yocto.layers[name].commit.slice(0, 12)}`).join(', ')}.\n`);
  console.log(
    table(
      ['machine', 'MACHINE', 'recipe files read', 'planned for the machine + for the host', 'tasks', 'kernel', 'boot loader', 'seconds'],
      seen.map(({ name, machine, parsed, planned, kernel, bootLoader, durationMs }) => [name, machine, parsed.recipes, `${planned.target} + ${planned.native}`, planned.tasks, chosen(kernel), chosen(bootLoader), (durationMs / 1000).toFixed(0)]),
    ),
  );
}
process.exitCode = failed === 0 ? 0 : 1;
