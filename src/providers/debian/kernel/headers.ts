import { OsbuildError, type DebianLock, type Executor, type LockedPackage } from '../../../model/index.ts';
import { packagesOfSet } from '../apt/resolve.ts';
import { putFile, readText, writeTree, type RootTree } from '../tar/index.ts';
import { unpackPackages } from '../unpack/unpack.ts';
import { headersPackage, headersSet, imagePrefix } from './headers-packages.ts';

/**
 * The packages of headers of a machine's lock; empty where the archive has none for its kernel.
 * @throws OSB_LOCK_STALE when they are of another kernel than the image's
 */
export function lockedHeaders(lock: DebianLock): LockedPackage[] {
  const headers = packagesOfSet(lock, headersSet);
  if (headers.length === 0) return [];
  const kernels = packagesOfSet(lock, 'kernel').filter(({ name }) => name.startsWith(imagePrefix));
  for (const { name, version } of kernels) {
    if (headers.some((item) => item.name === headersPackage(name) && item.version === version)) continue;
    throw new OsbuildError('OSB_LOCK_STALE', `The lock has ${name} ${version}, and headers of another kernel.`, { hint: 'Write it anew with `osbuild lock --update`, or set kernelHeaders: false in build.config.yaml.' });
  }
  return headers;
}

/** Executor of `debian/kernel-headers`. */
export const kernelHeaders: Executor<'debian/kernel-headers'> = async (context) => {
  const { tree } = await unpackPackages(context, context.args.packages, ['/usr/share/lintian/**', '/usr/share/doc/*/changelog*', '/usr/share/doc/*/NEWS*']);
  movable(tree);
  const file = `${context.scratch}/kernel-headers.tar`;
  await writeTree(tree, file, context.epoch);
  // Level 3, as all that every build waits for.
  await context.tool({ argv: ['zstd', '-q', '-3', '-T0', '/tmp/kernel-headers.tar', '-o', '/out/kernel-headers.tar.zst'] });
};

/** In a makefile: the folder that it stands in, whatever link led there, with a slash. */
const here = '$(dir $(realpath $(lastword $(MAKEFILE_LIST))))';

/** Makes headers work wherever they are unpacked: links lead below the archive's root, and no makefile names a place. */
export function movable(tree: RootTree): void {
  for (const node of tree.values()) {
    const { path, type, target } = node.entry;
    if (type === 'link' && target.startsWith('/')) node.entry = { ...node.entry, target: `${'../'.repeat(path.split('/').length - 1)}${target.slice(1)}` };
  }
  for (const path of [...tree.keys()].filter((key) => /^usr\/src\/linux-headers-[^/]+\/Makefile$/.test(key))) {
    const text = readText(tree, path) ?? '';
    // All that the packages' own makefile says is what it includes and, from Linux 6.19 on, where it stands itself.
    const fixed = text
      .replace(/^KBUILD_OUTPUT *:?= *\/usr\/src\/[^/\s]+$/m, `KBUILD_OUTPUT := $(patsubst %/,%,${here})`)
      .replace(/^include \/usr\/src\//m, `include ${here}../`);
    if (fixed !== text) putFile(tree, path, fixed);
  }
}
