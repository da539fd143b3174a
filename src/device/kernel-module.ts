import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Executor } from '../model/index.ts';

/** Packages of a tree in which kernel modules are compiled, as a container of Debian has them: what headers of kernels say they need. */
export const modulePackages: readonly string[] = ['binutils', 'coreutils', 'dash', 'findutils', 'gawk', 'gcc-14', 'grep', 'libelf1t64', 'libssl3t64', 'make', 'pahole', 'sed', 'tar', 'zstd'];

export const moduleName = 'minke_probe';

/** The headers are unpacked where no package would have put them. */
const script = [
  'mkdir /tmp/unpacked',
  'zstd -q -d -c /in/headers | tar -x -C /tmp/unpacked',
  'set -- /tmp/unpacked/usr/lib/modules/*/build',
  'test $# = 1',
  'make --silent -C "$1" M=/tmp/module modules',
  `cp /tmp/module/${moduleName}.ko /out/`,
].join('\n');

/** Executor of `device/kernel-module`. */
export const kernelModule: Executor<'device/kernel-module'> = async (context) => {
  const folder = join(context.scratch, 'module');
  await mkdir(folder);
  for (const [name, path] of context.inputs('module')) await copyFile(path, join(folder, name));
  await context.tool({ argv: ['sh', '-eu', '-c', script] });
};
