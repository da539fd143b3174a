import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { hardeningOptions, lackingHardening } from '../../../../src/providers/debian/kernel/hardening.ts';

const config = (...without: string[]): string => hardeningOptions.filter(({ option }) => !without.includes(option)).map(({ option }) => `CONFIG_${option}=y\n`).join('');

test('a kernel that has everything lacks nothing; a module, a comment and a longer name do not count', () => {
  expect(lackingHardening(config())).toEqual([]);
  expect(lackingHardening(`${config('VMAP_STACK')}# CONFIG_VMAP_STACK is not set\nCONFIG_VMAP_STACK=m\nCONFIG_VMAP_STACK_TEST=y\n`)).toMatchObject([{ option: 'VMAP_STACK', reason: null }]);
});

test('what a kernel cannot have comes with the reason, for that kernel alone', () => {
  expect(lackingHardening(`${config('RANDOMIZE_BASE', 'SECCOMP_FILTER')}CONFIG_ARM=y\n`).map(({ option, reason }) => [option, reason === null])).toEqual([
    ['RANDOMIZE_BASE', false],
    ['SECCOMP_FILTER', true],
  ]);
  expect(lackingHardening(`${config('RANDOMIZE_BASE')}CONFIG_ARM64=y\n`)).toMatchObject([{ reason: null }]);
});

test('the documentation lists every option', () => {
  const text = readFileSync(new URL('../../../../docs/security.md', import.meta.url), 'utf8');
  expect(hardeningOptions.filter(({ option }) => !text.includes(`\`${option}\``))).toEqual([]);
});
