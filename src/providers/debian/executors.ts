import type { Executors } from '../../model/index.ts';
import type { DebianSteps } from '../../model/steps-debian.ts';
import type { HostApt } from './apt/host.ts';
import { databases } from './databases/databases.ts';
import { createFetch, fetchDefaults } from './fetch/fetch.ts';
import { finish } from './finish/finish.ts';
import { bootLoader } from './kernel/boot-loader.ts';
import { kernelHeaders } from './kernel/headers.ts';
import { kernel } from './kernel/kernel.ts';
import { tree } from './tree/tree.ts';
import { unpack } from './unpack/unpack.ts';

/** The executors of this provider's steps. `apt` is called when a package must come from the network. */
export function createDebianExecutors({ apt }: { apt: () => Promise<HostApt> }): Pick<Executors, keyof DebianSteps> {
  return {
    'debian/fetch': { version: 1, run: createFetch({ ...fetchDefaults, apt }) },
    'debian/tree': { version: 1, run: tree },
    'debian/unpack': { version: 2, run: unpack },
    'debian/kernel': { version: 1, run: kernel },
    'debian/kernel-headers': { version: 1, run: kernelHeaders },
    'debian/boot-loader': { version: 1, run: bootLoader },
    'debian/databases': { version: 2, run: databases },
    'debian/finish': { version: 3, run: finish },
  };
}
