import { describeBoots } from './boot-test.ts';

await describeBoots('genericx86-64');
