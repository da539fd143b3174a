import type { ImageRequest } from '../../../model/index.ts';
import type { YoctoProject } from '../layers/resolve.ts';
import { packagesOf } from '../packages.ts';
import { assignment, listAssignment } from './assignment.ts';
import { sharedStateConf } from './shared-state.ts';

/**
 * Text of conf/local.conf: the same for everybody who builds this image of these recipes. What is this host's own
 * (folders of downloads and of shared state, parallelism) stands in conf/site.conf.
 */
export function localConf(request: Pick<ImageRequest, 'recipes' | 'mode' | 'os' | 'epoch'>, project: YoctoProject): string {
  const { root, initrd } = packagesOf(request);
  return [
    '# Written by osbuild before every build, of build.config.yaml, the machine and its recipes.\n',
    'CONF_VERSION = "2"\n',
    assignment('MACHINE', project.machine),
    assignment('DISTRO', project.distro),
    '\n',
    assignment('DISTRO_NAME', request.os.name),
    assignment('DISTRO_VERSION', request.os.version),
    assignment('MINKE_MODE', request.mode),
    assignment('SOURCE_DATE_EPOCH_FALLBACK', String(request.epoch)),
    assignment('REPRODUCIBLE_TIMESTAMP_ROOTFS', String(request.epoch)),
    '\n',
    listAssignment('MINKE_PACKAGES', root),
    listAssignment('MINKE_INITRD_PACKAGES', initrd),
    ...(project.sstate === undefined ? [] : ['\n', sharedStateConf(project.sstate)]),
    ...(Object.keys(project.settings).length === 0 ? [] : ['\n', ...Object.entries(project.settings).map(([name, value]) => assignment(name, value))]),
  ].join('');
}
