import { listAssignment } from './assignment.ts';

/** The format of bblayers.conf that openembedded-core's sanity check knows (LAYER_CONF_VERSION). */
const formatVersion = '7';

/** Text of conf/bblayers.conf over these folders, in order. */
export function bblayersConf(folders: readonly string[]): string {
  return `# Written by osbuild before every build.
LCONF_VERSION = "${formatVersion}"
BBPATH = "\${TOPDIR}"
BBFILES ?= ""

${listAssignment('BBLAYERS', folders)}`;
}
