import { expect, test } from 'vitest';

import { formatImageName, parseImageName } from '../../src/registry/index.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

test.each([
  ['registry.example.com/team/os:1.2', { registry: 'registry.example.com', path: 'team/os', tag: '1.2' }],
  ['localhost:5000/os', { registry: 'localhost:5000', path: 'os' }],
  ['localhost/os', { registry: 'localhost', path: 'os' }],
  ['[::1]:5000/os:x', { registry: '[::1]:5000', path: 'os', tag: 'x' }],
  ['os', { registry: 'docker.io', path: 'library/os' }],
  ['team/os:2', { registry: 'docker.io', path: 'team/os', tag: '2' }],
  [`r.example/a/b/c@${digest}`, { registry: 'r.example', path: 'a/b/c', digest }],
  [`r.example/a:t@${digest}`, { registry: 'r.example', path: 'a', tag: 't', digest }],
])('%s', (text, name) => {
  expect(parseImageName(text)).toEqual(name);
  expect(parseImageName(formatImageName(parseImageName(text)))).toEqual(name);
});

test.each([
  ['https://r.example/os', 'without https://'],
  ['r.example/OS', 'small letters'],
  ['r.example/os:', 'no tag'],
  ['r.example/os:a b', 'no tag'],
  ['r.example/os@sha256:12', 'no digest'],
  ['r.example/', 'no repository'],
  ['', 'no repository'],
  ['-x.example/os', 'no host'],
  ['r.example/a//b', 'no repository'],
])('%j is refused', (text, why) => {
  expect(() => parseImageName(text)).toThrow(why);
});
