import { bytesProgram } from './bytes.ts';
import { compressProgram } from './compress.ts';
import { cryptoProgram } from './crypto.ts';
import { deltaProgram } from './delta.ts';
import { dnsProgram } from './dns.ts';
import { endings } from './endings.ts';
import { dnsFuzzProgram, fuzzProgram } from './fuzz.ts';
import { fsProgram } from './fs.ts';
import { memoryProgram, serverProgram } from './memory.ts';
import { netlinkProgram } from './netlink.ts';
import { netProgram } from './net.ts';
import { processProgram } from './process.ts';
import { rootProgram } from './root.ts';
import { timersProgram } from './timers.ts';
import { tlsProgram } from './tls.ts';
import { treeProgram } from './tree.ts';
import { ttyProgram } from './tty.ts';

/** By name: what each does with its arguments. */
export const programs: Record<string, (args: string[]) => unknown> = {
  bytes: bytesProgram,
  compress: compressProgram,
  crypto: cryptoProgram,
  delta: deltaProgram,
  dns: dnsProgram,
  'dns-fuzz': dnsFuzzProgram,
  fs: fsProgram,
  fuzz: fuzzProgram,
  memory: memoryProgram,
  netlink: netlinkProgram,
  net: netProgram,
  process: processProgram,
  root: rootProgram,
  server: serverProgram,
  timers: timersProgram,
  tls: tlsProgram,
  tree: treeProgram,
  tty: ttyProgram,
  ...endings,
};
