import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { scanSources } from '../../config/index.ts';
import type { Executors, StepKind } from '../../model/index.ts';

/** What carries out steps, and how every step's programs are run. */
const sourcesOf: Record<string, readonly string[]> = {
  debian: ['src/providers/debian', 'src/exec'],
  download: ['src/downloads'],
  engine: ['src/engine-binary', 'src/exec'],
  package: ['src/engine-package', 'src/exec'],
  image: ['src/image', 'src/engine/unified-kernel', 'src/engine/verity', 'src/exec'],
  preload: ['src/preload', 'src/exec'],
  'secure-boot': ['src/secure-boot', 'src/engine/unified-kernel', 'src/engine/verity'],
  source: ['src/source-build', 'src/exec'],
  yocto: ['src/providers/yocto', 'src/exec'],
  device: ['src/device', 'src/exec'],
};

/** A file is what its SHA-256 in the arguments says, whatever code brought it here. */
const provenByArguments: readonly string[] = ['debian/fetch', 'download/files', 'preload/fetch'];

/** Data beside the code that enters keys by itself. */
const isData = (path: string): boolean => path === 'locks';

/**
 * For each kind of step what stands for its code in keys: the executor's own number and a digest of the sources that it is made
 * of. A result of older code is never taken for one of today's, without anybody having to think of raising a number.
 */
export async function stepVersions(home: string, executors: Executors): Promise<Record<StepKind, string>> {
  const digests = new Map<string, string>();
  for (const [group, folders] of Object.entries(sourcesOf)) {
    const hash = createHash('sha256');
    for (const folder of folders) for (const { path, digest } of await scanSources(join(home, folder), isData)) hash.update(`${folder}/${path} ${digest}\n`);
    digests.set(group, hash.digest('hex').slice(0, 16));
  }
  const version = (kind: string, number: number): string => {
    if (provenByArguments.includes(kind)) return String(number);
    const digest = digests.get(kind.slice(0, kind.indexOf('/')));
    if (digest === undefined) throw new Error(`no sources are named for the step ${kind}`);
    return `${number}-${digest}`;
  };
  return Object.fromEntries(Object.entries(executors).map(([kind, executor]) => [kind, version(kind, executor.version)])) as Record<StepKind, string>;
}
