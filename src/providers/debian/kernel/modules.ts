import picomatch from 'picomatch';

/** Name of a module as the kernel knows it, from its file name: `snd-hda-intel.ko.xz` → `snd_hda_intel`. */
export function moduleName(path: string): string {
  return (path.split('/').at(-1) ?? '').replace(/\.ko(\.\w+)?$/, '').replaceAll('-', '_');
}

/** The module files (paths below the kernel's module folder) that globs let in: an exclude that no include takes back leaves a module out. */
export function chooseModules(files: string[], globs: { exclude: string[]; include: string[] }): Set<string> {
  const options = { dot: true };
  const excluded = globs.exclude.length === 0 ? () => false : picomatch(globs.exclude.map(relativeGlob), options);
  const included = globs.include.length === 0 ? () => false : picomatch(globs.include.map(relativeGlob), options);
  // Globs are written for plain .ko files: how the distribution compresses them is its own affair.
  const plain = (file: string): string => file.replace(/\.ko\.\w+$/, '.ko');
  return new Set(files.filter((file) => !excluded(plain(file)) || included(plain(file))));
}

/** Names of built-in modules, from modules.builtin. */
export function builtinModules(text: string): Set<string> {
  return new Set(text.split('\n').filter((line) => line !== '').map(moduleName));
}

/** Names of the modules that a plain module file says it depends on (`depends=` of its .modinfo section). */
export function moduleDependencies(file: Buffer): string[] {
  const mark = Buffer.from('\0depends=');
  const at = file.lastIndexOf(mark);
  if (at < 0) return [];
  const begin = at + mark.length;
  const end = file.indexOf(0, begin);
  return file.toString('latin1', begin, end < 0 ? begin : end).split(',').filter((name) => name !== '').map((name) => name.replaceAll('-', '_'));
}

function relativeGlob(glob: string): string {
  return glob.replace(/^\/+/, '');
}
