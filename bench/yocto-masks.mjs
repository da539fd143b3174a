// BBMASK of the benches: which recipe files of layers that hold much more than our images bitbake need not read. A mask leaves
// out too little at worst slows it down, one that leaves out too much is an error of bitbake's, since nothing provides what it hides.

import { basename } from 'node:path';

/** What our images take of layers that hold much more: folders of recipes. */
const kept = {
  'meta-oe': ['c-ares', 'duktape', 'jansson', 'jq', 'libmbim', 'libndp', 'libqmi', 'libqrtr-glib', 'modemmanager', 'onig', 'pkcs11-helper', 'polkit', 'pps-tools', 'usb-modeswitch', 'yajl'],
  'meta-networking': ['chrony', 'dnsmasq', 'libnftnl', 'mbedtls', 'networkmanager', 'nftables', 'openvpn'],
  'meta-python': [],
  'meta-filesystems': [],
  'meta-virtualization': ['conmon', 'crun', 'go', 'linux'],
};

export const folderMasks = [
  ...Object.entries(kept).map(([layer, names]) => `/${layer}/(dynamic-layers/[^/]+/)?recipes-[^/]+/${names.length === 0 ? '' : `(?!(${names.join('|')})/)`}[^/]+/[^/]+[.]bb$`),
  '/meta-oe/dynamic-layers/',
  '/meta/recipes-(sato|rt)/',
  '/meta/recipes-graphics/(?!xorg-lib/pixman)',
  '/meta/recipes-gnome/(?!(gobject-introspection|gtk-doc|libgudev)/)',
  '/meta/recipes-multimedia/(?!(alsa|libpng)/)',
  '/meta/recipes-devtools/(llvm|gdb|strace|valgrind|python/python3-(alabaster|babel|git|hypothesis|imagesize|numpy|poetry|pycairo|pytest|scons|snowballstemmer|sphinx|subunit|testtools))',
];

/** Names of the file that makes what bitbake calls so: `acl-native` comes of acl_2.3.2.bb, `gcc-cross-aarch64` of gcc-cross_13.3.bb. */
const fileNames = (recipe) => [recipe, recipe.replace(/-native$/, '').replace(/^nativesdk-/, ''), recipe.replace(/-(cross(?:-canadian)?|crosssdk|source)-.*$/, '-$1')];

/** Leaves those recipes of the general layers alone that these plans have, and of `boards` too: folders of layers that are read whole otherwise. */
export function plannedMasks(plans, boards = []) {
  const names = new Set(plans.flatMap(({ recipes }) => Object.keys(recipes)).flatMap(fileNames));
  const words = [...names].toSorted().map((name) => name.replaceAll('+', '[+]').replaceAll('.', '[.]'));
  return [`/(${['meta', ...Object.keys(kept), ...boards].join('|')})/(dynamic-layers/[^/]+/)?recipes-[^/]+/([^/]+/)+(?!(${words.join('|')})(_[^/]*)?[.]bb$)[^/]+[.]bb$`];
}

/** What an image's tasks for an SDK ask for, as ASSUME_PROVIDED has it (patterns begin with ^): nobody runs them, but bitbake looks for all of it before it plans. */
export const sdkParts = ['^nativesdk-', '^virtual/nativesdk-', '^virtual/.*sdk-linux-', '^.*-cross-canadian-', '^.*-crosssdk-', 'meta-extsdk-toolchain', '^meta-environment-', 'buildtools-tarball', 'make-mod-scripts', 'dejagnu-native', 'expect-native', 'chrpath-replacement-native', 'target-sdk-provides-dummy', 'packagegroup-core-standalone-sdk-target'];

/** Recipes that plans have for the build host alone. */
export function hostOnly(plans) {
  const names = new Set(plans.flatMap(({ recipes }) => Object.keys(recipes)));
  return [...names].filter((name) => name.endsWith('-native')).map((name) => name.replace(/-native$/, '')).filter((name) => !names.has(name)).toSorted();
}

/** What every board may take of openembedded-core as kernel and boot loader, with the tools for its images. */
const boots = ['linux-yocto', 'systemd-boot', 'u-boot', 'u-boot-tools'];

/**
 * For a plan of what is the board's own: recipes of its layers (files of them), kernel and boot loader are read and planned, and
 * everything that they and the image ask for besides is taken as there. `own`: recipes of our layer.
 */
export function boardOnly(files, own) {
  const names = [...new Set([...boots, ...files.map((file) => basename(file, '.bb').split('_')[0])])].toSorted();
  const words = [...names, ...own, 'virtual/kernel', 'virtual/bootloader', 'kernel'].map((name) => name.replaceAll('+', '[+]').replaceAll('.', '[.]'));
  return { masks: plannedMasks([{ recipes: Object.fromEntries(boots.map((name) => [name, ''])) }]), provided: [`^(?!(${words.join('|')})(-.*)?$)`] };
}
