import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * A class for recipes whose tasks are bitbake's own, run for real, without a toolchain: nothing but what a shell can do is
 * made, and what the tasks of ordinary recipes wait for is not waited for. Of those that ordinary recipes have, it runs
 * the ones that PROBE_TASKS names.
 */
const probeClass = `LICENSE = "MIT"
INHIBIT_DEFAULT_DEPS = "1"
PATCHDEPENDENCY = ""
PATCHDEPENDENCY:class-target = ""
EXCLUDE_FROM_WORLD = "1"
PACKAGE_ARCH = "\${MACHINE_ARCH}"
SSTATE_SKIP_CREATION = "1"
inherit nopackages deploy
do_deploy() {
\t:
}
addtask probe after do_configure before do_build
addtask deploy after do_probe before do_build
do_probe() {
\t:
}
python () {
    for task in d.getVar("__BBTASKS", False) or []:
        for flag in ("depends", "rdepends", "recrdeptask", "deptask", "rdeptask"):
            d.delVarFlag(task, flag)
    for task in "fetch unpack patch configure compile install populate_lic populate_sysroot".split():
        if task not in (d.getVar("PROBE_TASKS") or "").split():
            d.setVarFlag("do_" + task, "noexec", "1")
}
`;

/** For INHERIT where the program that plays root is not built: nobody asks whose the files are. */
const noFakeroot = `python () {
    for task in d.getVar("__BBTASKS", False) or []:
        d.delVarFlag(task, "fakeroot")
}
`;

/** Collections that meta-minke depends on, for builds over openembedded-core alone; they hold nothing. */
const standIns = ['openembedded-layer', 'meta-python', 'networking-layer', 'filesystems-layer', 'virtualization-layer'];

/** Settings of a build in which only recipes of probe layers are read. */
export const probeSettings: Readonly<Record<string, string>> = {
  BBMASK: '/meta/recipes- /meta-minke/(dynamic-layers/[^/]*/)?recipes-',
  BB_NO_NETWORK: '1',
  CONNECTIVITY_CHECK_URIS: '',
  BB_DANGLINGAPPENDS_WARNONLY: '1',
  'ASSUME_PROVIDED:append': ' virtual/libc',
  // meta-minke's stand-ins hold no recipes.
  BBFILES_DYNAMIC: '',
};

/** Writes a layer with these recipes, each of which inherits the class `probe`, and returns its folder. */
export function writeProbeLayer(folder: string, recipes: Readonly<Record<string, string>>): string {
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const collections = ['probe', ...standIns];
  write(
    'conf/layer.conf',
    `BBPATH .= ":\${LAYERDIR}"
BBFILES += "\${LAYERDIR}/*.bb"
BBFILE_COLLECTIONS += "${collections.join(' ')}"
${collections.map((name) => `BBFILE_PATTERN_${name} = "${name === 'probe' ? '^${LAYERDIR}/' : ''}"\nBBFILE_PRIORITY_${name} = "5"\nLAYERSERIES_COMPAT_${name} = "scarthgap"\n`).join('')}LAYERDEPENDS_probe = "core"
`,
  );
  write('classes/probe.bbclass', probeClass);
  write('classes/no-fakeroot.bbclass', noFakeroot);
  for (const [name, text] of Object.entries(recipes)) write(`${name}.bb`, `SUMMARY = "probe"\ninherit probe\n${text}`);
  return folder;
}
