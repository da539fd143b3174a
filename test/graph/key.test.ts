import { createHash } from 'node:crypto';

import { expect, test } from 'vitest';

import { buildGraph, canonicalJson, taskKeys, whyDifferent, type KeyOptions } from '../../src/graph/index.ts';
import type { AnyTask, StepKind } from '../../src/model/index.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const options = (epoch = 1): KeyOptions => ({ epoch, versions: new Proxy({}, { get: () => '1' }) as Record<StepKind, string>, sha256 });

function chain(digest: string): AnyTask[] {
  return [
    { id: 'bundle', kind: 'engine/bundle', title: 'bundle', args: {}, inputs: { sources: { from: 'sources', root: '/x', files: [{ path: 'a.ts', digest, type: 'file' }] } }, result: 'files' },
    { id: 'compile', kind: 'engine/compile', title: 'compile', args: { arch: 'amd64' }, inputs: { bundle: { from: 'task', task: 'bundle', output: 'bundle.js' } }, result: 'files' },
  ];
}

const keysOf = (digest: string, epoch = 1) => taskKeys(buildGraph(chain(digest), ['compile']), options(epoch));

test('canonical JSON does not depend on the order of keys or on undefined members', () => {
  expect(canonicalJson({ b: [1, { d: 1, c: undefined }], a: null })).toBe('{"a":null,"b":[1,{"d":1}]}');
});

test('a changed source changes the keys of everything that stands on it', () => {
  const before = keysOf('1');
  const after = keysOf('2');
  expect(after.get('bundle')?.key).not.toBe(before.get('bundle')?.key);
  expect(after.get('compile')?.key).not.toBe(before.get('compile')?.key);
  expect(keysOf('1').get('compile')?.key).toBe(before.get('compile')?.key);
});

test('the place of a source folder is not part of the key, so a clone elsewhere hits the same cache', () => {
  const elsewhere = chain('1');
  const input = elsewhere[0]?.inputs['sources'];
  if (input?.from === 'sources') input.root = '/somewhere/else';
  expect(taskKeys(buildGraph(elsewhere, ['compile']), options()).get('compile')?.key).toBe(keysOf('1').get('compile')?.key);
});

test('why names the file that changed', () => {
  const before = keysOf('1').get('bundle');
  const after = keysOf('2').get('bundle');
  if (!before || !after) throw new Error('no keys');
  expect(whyDifferent(before.ingredients, after.ingredients)).toEqual(['sources: a.ts changed']);
});

test('why names a new epoch and changed packages', () => {
  const task = (version: string): AnyTask => ({
    id: 'fetch', kind: 'debian/fetch', title: 'fetch', inputs: {}, result: 'files',
    args: { packages: [{ name: 'bash', version, architecture: 'amd64', archive: 'main', filename: `pool/${version}`, sizeBytes: 1, sha256: version }] },
  });
  const key = (version: string, epoch: number) => taskKeys(buildGraph([task(version)], ['fetch']), options(epoch)).get('fetch');
  const [before, after] = [key('5.2-1', 1), key('5.2-2', 2)];
  if (!before || !after) throw new Error('no keys');
  expect(whyDifferent(before.ingredients, after.ingredients)).toEqual(['epoch 1 → 2', 'argument packages: − bash 5.2-1', 'argument packages: + bash 5.2-2']);
});

test('only what the targets need is in the graph, in an order that can be run', () => {
  const graph = buildGraph([...chain('1').toReversed(), { ...chain('1')[0], id: 'other' } as AnyTask], ['compile']);
  expect([...graph.tasks.keys()]).toEqual(['bundle', 'compile']);
});

test('a circle, an unknown task and two tasks of one name are told as what they are', () => {
  const [bundle, compile] = chain('1') as [AnyTask, AnyTask];
  const circle = { ...bundle, inputs: { x: { from: 'task', task: 'compile', output: 'y' } } } as AnyTask;
  expect(() => buildGraph([circle, compile], ['compile'])).toThrow('depend on each other: compile → bundle → compile');
  expect(() => buildGraph([compile], ['compile'])).toThrow('compile reads from the task bundle, which nobody planned');
  expect(() => buildGraph([bundle, { ...bundle, title: 'other' }], ['bundle'])).toThrow('two different tasks are called bundle');
});
