import { describeBoots } from './boot-test.ts';

await describeBoots('qemuarm64');
