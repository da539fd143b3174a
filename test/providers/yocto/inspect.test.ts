import { expect, test } from 'vitest';

import { advance, initialState } from '../../../src/providers/yocto/bitbake/progress.ts';
import { inspection } from '../../../src/providers/yocto/inspect.ts';

const parsed = { event: 'parsed', recipes: 900, cached: 10, masked: 1800, skipped: 12, errors: 0 } as const;
const plan = {
  event: 'plan',
  recipes: { 'linux-yocto': '6.6.100+git-r0', 'u-boot': '2024.01-r0', 'systemd-boot': '255.21-r0', zlib: '1.3.1-r0', 'zlib-native': '1.3.1-r0', 'gcc-cross-aarch64': '13.4.0-r0' },
  tasks: 4711,
  providers: { 'virtual/kernel': 'linux-yocto', 'virtual/bootloader': 'u-boot' },
} as const;

test('what bitbake told of a plan: recipes of the machine and of the host apart, kernel and the boot loader that the machine starts', () => {
  const state = [parsed, plan, { event: 'kernel', fragments: ['minke.cfg'] } as const].reduce(advance, initialState);
  expect(inspection({ name: 'board', machine: 'm', targets: ['minke-image', 'virtual/kernel', 'virtual/bootloader'] }, state, 5)).toMatchObject({
    parsed: { recipes: 900, masked: 1800, skipped: 12 },
    planned: { target: 4, native: 2, tasks: 4711 },
    kernel: { recipe: 'linux-yocto', version: '6.6.100+git-r0', fragments: ['minke.cfg'] },
    bootLoader: { recipe: 'u-boot', version: '2024.01-r0' },
    durationMs: 5,
  });
  expect(inspection({ name: 'pc', machine: 'm', targets: ['minke-image', 'systemd-boot'] }, state, 5).bootLoader).toEqual({ recipe: 'systemd-boot', version: '255.21-r0' });
});

test('a boot loader that is not in the plan is none, and no plan at all is an error', () => {
  const { 'u-boot': _, ...recipes } = plan.recipes;
  const state = [parsed, { ...plan, recipes }].reduce(advance, initialState);
  expect(inspection({ name: 'board', machine: 'm', targets: ['virtual/bootloader'] }, state, 5).bootLoader).toBeNull();
  expect(() => inspection({ name: 'board', machine: 'm', targets: [] }, advance(initialState, parsed), 5)).toThrow('told no plan');
});
