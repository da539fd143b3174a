import { deviceExecutors } from '../../device/index.ts';
import { createDownloadExecutors, fileFetchDefaults, type FileFetchSettings } from '../../downloads/index.ts';
import { engineExecutors } from '../../engine-binary/index.ts';
import { packageExecutors } from '../../engine-package/index.ts';
import { imageExecutors } from '../../image/index.ts';
import type { Executors } from '../../model/index.ts';
import { createDebianExecutors, type HostApt } from '../../providers/debian/index.ts';
import { sourceExecutors } from '../../source-build/index.ts';
import { createSecureBootExecutors } from '../../secure-boot/index.ts';
import { createYoctoExecutors, type YoctoPorts } from '../../providers/yocto/index.ts';
import { createPreloadExecutors, type PreloadPorts } from './preload-executors.ts';

/** The exhaustive table of what carries out each kind of step. */
export function makeExecutors(apt: () => Promise<HostApt>, yocto: YoctoPorts, files: Pick<FileFetchSettings, 'mirrors' | 'proxies'>, preload: PreloadPorts, secureBoot: { key?: string | undefined }): Executors {
  return { ...createDebianExecutors({ apt }), ...createYoctoExecutors(yocto), ...createDownloadExecutors({ ...fileFetchDefaults, ...files }), ...engineExecutors, ...packageExecutors, ...sourceExecutors, ...imageExecutors, ...deviceExecutors, ...createPreloadExecutors(preload), ...createSecureBootExecutors(secureBoot) };
}
