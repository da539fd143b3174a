import { chooseModules, moduleName, parseModuleLists } from './kernel-modules.ts';
import type { TarRoot } from './tar-root.ts';

/** Which modules an initrd holds, and the lists that its modprobe reads. File names are relative to `folder`. */
export interface InitrdModules {
  kernelVersion: string;
  /** Of the root: usr/lib/modules/<version>. */
  folder: string;
  /** All of them, each after what it depends on. */
  files: string[];
  /** Loaded at every boot, in this order. */
  always: string[];
  /** Names of those that wait for their hardware. */
  drivers: string[];
  missing: string[];
  /** modules.dep and modules.alias, of these modules only. */
  dep: string;
  alias: string;
}

/**
 * Works out the modules of an initrd from depmod's lists in the root.
 * @param always names of modules that every boot needs; `crypto-sha256` and its like stand for all modules that offer it
 * @param drivers names of modules that are loaded when their hardware is found
 */
export function chooseInitrdModules(root: TarRoot, always: readonly string[], drivers: readonly string[]): InitrdModules {
  const kernelVersion = onlyKernel(root);
  const folder = `usr/lib/modules/${kernelVersion}`;
  const text = (name: string): string => (root.find(`${folder}/${name}`) === null ? '' : root.read(`${folder}/${name}`).toString('utf8'));
  const lists = parseModuleLists({ dep: text('modules.dep'), builtin: text('modules.builtin'), builtinInfo: text('modules.builtin.modinfo'), softdep: text('modules.softdep'), alias: text('modules.alias') });
  const first = chooseModules(lists, always);
  const all = chooseModules(lists, [...always, ...drivers]);
  const names = new Set(all.files.map(moduleName));
  const waiting = drivers.filter((name) => names.has(moduleName(name)));
  return {
    kernelVersion,
    folder,
    files: all.files,
    always: first.files,
    drivers: waiting,
    missing: all.missing,
    dep: all.files.map((file) => `${file}:${(lists.dependencies.get(file) ?? []).map((needed) => ` ${needed}`).join('')}\n`).join(''),
    alias: lists.aliases.flatMap(({ pattern, name }) => (names.has(moduleName(name)) ? [`alias ${pattern} ${name}\n`] : [])).join(''),
  };
}

function onlyKernel(root: TarRoot): string {
  const versions = new Set([...root.entries.keys()].flatMap((path) => /^usr\/lib\/modules\/([^/]+)\/modules\.dep$/.exec(path)?.[1] ?? []));
  const [version] = versions;
  if (version === undefined || versions.size > 1) {
    throw new Error(`the root must hold the modules of one kernel, with depmod's lists; found: ${[...versions].join(', ') || 'none'}`);
  }
  return version;
}
