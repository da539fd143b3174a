// Boots the machines that OSBUILD_BOOT_MACHINES names.
import { describe, test } from 'vitest';
import { describeBoots } from './boot-test.ts';
import { machinesOf } from './osbuild-test.ts';

const named = machinesOf('OSBUILD_BOOT_MACHINES', '');

for (const name of named) await describeBoots(name);

if (named.length === 0) describe.skip('any other machine (needs OSBUILD_BOOT_MACHINES=NAME,…)', () => void test.todo('boots'));
