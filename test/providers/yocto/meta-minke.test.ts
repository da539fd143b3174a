import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';

import { engineArchitectures } from '../../../src/engine-binary/index.ts';
import { home } from './support.ts';

const layer = join(home, 'layers/meta-minke');
const files = readdirSync(layer, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
const text = (path: string): string => readFileSync(path, 'utf8');
const layerConf = text(join(layer, 'conf/layer.conf'));

test('every folder of dynamic-layers is read for the layer that it is called by', () => {
  const declared = [...layerConf.matchAll(/([\w-]+):\$\{LAYERDIR\}\/dynamic-layers\/([\w-]+)\//g)].map(([, collection, folder]) => [collection, folder]);
  expect(declared.every(([collection, folder]) => collection === folder)).toBe(true);
  expect(declared.map(([, folder]) => folder)).toEqual(readdirSync(join(layer, 'dynamic-layers')).toSorted());
});

test('kernel fragments are lines that Kconfig reads, each symbol once, and each file is used', () => {
  const recipes = files.filter((path) => /\.(bbappend|inc)$/.test(path)).map(text).join('\n');
  for (const path of files.filter((file) => file.endsWith('.cfg'))) {
    const lines = text(path).split('\n').filter((line) => line !== '' && !line.startsWith('# '));
    expect(lines.filter((line) => !/^CONFIG_[A-Z0-9_]+=([ym]|\d+|"[^"]*")$/.test(line))).toEqual([]);
    const symbols = lines.map((line) => line.split('=')[0]);
    expect(symbols).toEqual([...new Set(symbols)]);
    expect(recipes).toContain(`file://${basename(path)}`);
  }
});

test('outside of its own distribution the layer changes no recipe of others', () => {
  for (const path of files.filter((file) => file.endsWith('.bbappend'))) {
    const required = [...text(path).matchAll(/^require (\S+)/gm)].map(([, name]) => join(layer, name ?? ''));
    // Assignments and functions begin a line; what is inside a function does not.
    const lines = [path, ...required].map(text).join('\n').split('\n').filter((line) => /^[A-Za-z]/.test(line) && !line.startsWith('require '));
    expect(lines.filter((line) => !/:minke\b/.test(line))).toEqual([]);
    for (const name of required) expect(existsSync(name)).toBe(true);
  }
});

test('the engine is compiled for the architecture that bitbake compiles for', () => {
  const recipe = text(join(layer, 'recipes-engine/minke-engine/minke-engine_0.1.0.bb'));
  const definition = /^def minke_engine_arch\(d\):\n(?:    .*\n)+/m.exec(recipe)?.[0] ?? '';
  const of = (arch: string, overrides: string): string =>
    execFileSync('python3', ['-c', `import json, sys\n${definition}\nclass Data(dict):\n    getVar = dict.get\nprint(minke_engine_arch(Data(json.loads(sys.argv[1]))))`, JSON.stringify({ TARGET_ARCH: arch, OVERRIDES: `linux:${arch}:${overrides}:minke` })], { encoding: 'utf8' }).trim();
  // What tunes add to OVERRIDES: beaglebone's Cortex-A8, raspberrypi3's Cortex-A7, raspberrypi0-wifi's ARM1176, the ARM926; nothing for others.
  const seen = [of('arm', 'armv7a'), of('arm', 'armv7ve'), of('arm', 'armv6'), of('arm', 'armv5'), of('aarch64', 'armv8a'), of('x86_64', 'x86'), of('i686', 'x86')];
  expect(seen).toEqual(['armv7hf', 'armv7hf', 'armv6l', 'armv5e', 'aarch64', 'amd64', 'i386']);
  expect(engineArchitectures).toEqual(expect.arrayContaining([...new Set(seen)]));
  expect(of('riscv64', 'x')).toBe('');
});
