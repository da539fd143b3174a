// All test programs in one binary: minke <program> [arguments].
import { argv, exit, log } from 'host:process';
import { failed } from './check.ts';
import { programs } from './programs.ts';

const [, name = '', ...rest] = argv;
const program = programs[name];
if (program === undefined) {
  log(`no program '${name}'`);
  exit(2);
}
await program(rest);
if (failed()) exit(1);
