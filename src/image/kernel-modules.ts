/** The lists that depmod leaves in a kernel's module folder, parsed. Paths are relative to that folder. */
export interface ModuleLists {
  /** Module file → files it depends on, as modules.dep orders them: the last must be loaded first. */
  dependencies: Map<string, string[]>;
  builtin: Set<string>;
  /** Aliases of what is built in. */
  builtinAliases: Set<string>;
  /** Module name → names or aliases of what is to be loaded before it, where it exists. */
  softBefore: Map<string, string[]>;
  /** Pattern → names of the modules that answer to it. */
  aliases: Array<{ pattern: string; name: string }>;
}

export interface ModuleChoice {
  /** Module files in an order in which they can be loaded one after the other. */
  files: string[];
  /** Names that the kernel has neither built in nor as a module. */
  missing: string[];
}

export function parseModuleLists(texts: { dep: string; builtin: string; builtinInfo?: string; softdep: string; alias: string }): ModuleLists {
  const dependencies = new Map<string, string[]>();
  for (const line of lines(texts.dep)) {
    const [file = '', rest = ''] = line.split(':');
    dependencies.set(file, words(rest));
  }
  const softBefore = new Map<string, string[]>();
  for (const [keyword, name = '', ...rest] of lines(texts.softdep).map(words)) {
    if (keyword !== 'softdep') continue;
    const before: string[] = [];
    let section = '';
    for (const word of rest) {
      if (word.endsWith(':')) section = word;
      else if (section === 'pre:') before.push(word);
    }
    softBefore.set(moduleName(name), [...(softBefore.get(moduleName(name)) ?? []), ...before]);
  }
  const aliases = lines(texts.alias).map(words).map(([, pattern = '', name = '']) => ({ pattern, name }));
  // Texts of name.key=value, each of which ends with a zero byte.
  const builtinAliases = new Set((texts.builtinInfo ?? '').split('\0').flatMap((text) => /^[^=]*\.alias=(.*)$/s.exec(text)?.[1] ?? []));
  return { dependencies, builtin: new Set(lines(texts.builtin).map(moduleName)), builtinAliases, softBefore, aliases };
}

/** The wanted modules with everything they depend on, hard and soft; `-` and `_` are the same in names. */
export function chooseModules(lists: ModuleLists, wanted: readonly string[]): ModuleChoice {
  const byName = new Map([...lists.dependencies.keys()].map((file) => [moduleName(file), file]));
  const files = new Set<string>();
  const visiting = new Set<string>();
  // A soft dependency may name a service (crypto-crc32c) that several modules offer: take all, each may suit a processor.
  const softFiles = (wanted: string): string[] => {
    const names = [wanted, ...lists.aliases.filter(({ pattern }) => moduleName(pattern) === moduleName(wanted)).map(({ name }) => name)];
    return names.flatMap((name) => byName.get(moduleName(name)) ?? []);
  };
  const take = (file: string): void => {
    if (files.has(file) || visiting.has(file)) return;
    visiting.add(file);
    for (const soft of (lists.softBefore.get(moduleName(file)) ?? []).flatMap(softFiles)) take(soft);
    for (const needed of (lists.dependencies.get(file) ?? []).toReversed()) take(needed);
    files.add(file);
  };
  const missing: string[] = [];
  for (const name of wanted) {
    const file = byName.get(moduleName(name));
    if (file !== undefined) take(file);
    else if (name.startsWith('crypto-')) {
      // An algorithm: the kernel's own way to compute it, and all that are faster on some processors.
      const offering = softFiles(name);
      for (const one of offering) take(one);
      if (offering.length === 0 && !lists.builtinAliases.has(name)) missing.push(name);
    } else if (!lists.builtin.has(moduleName(name))) missing.push(name);
  }
  return { files: [...files], missing };
}

/** `kernel/crypto/crc32c_generic.ko.xz` → `crc32c_generic`; aliases such as `crypto-crc32c` keep their form with `_`. */
export function moduleName(file: string): string {
  const base = file.slice(file.lastIndexOf('/') + 1);
  return base.replace(/\.ko(\.(xz|zst|gz))?$/, '').replaceAll('-', '_');
}

const words = (line: string): string[] => line.split(/\s+/).filter((word) => word !== '');
const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
