import { OsbuildError } from '../model/index.ts';
import type { Arch } from '../model/index.ts';
import type { CpioEntry } from './cpio.ts';
import { elfNeeds } from './elf.ts';
import { normalise } from './tar-index.ts';
import type { TarRoot } from './tar-root.ts';

const triplets: Record<Arch, string> = {
  armv5e: 'arm-linux-gnueabi',
  armv6l: 'arm-linux-gnueabi',
  armv7hf: 'arm-linux-gnueabihf',
  aarch64: 'aarch64-linux-gnu',
  i386: 'i386-linux-gnu',
  amd64: 'x86_64-linux-gnu',
};

/**
 * Programs with the loader and every library that they need, at the paths where they stand (links followed, /bin and its
 * like below /usr). Nothing is run: needs are read from the files.
 * @throws OSB_PACKAGE_MISSING when a program or a library is not there
 */
export function programEntries(root: TarRoot, arch: Arch, programs: readonly string[]): CpioEntry[] {
  const searched = [`usr/lib/${triplets[arch]}`, 'usr/lib'];
  const entries = new Map<string, CpioEntry>();
  const take = (path: string, neededBy: string): void => {
    const inside = belowUsr(normalise(path));
    if (entries.has(inside)) return;
    if (root.find(inside)?.type !== 'file') throw missing(path, neededBy);
    const content = root.read(inside);
    entries.set(inside, { path: inside, type: 'file', mode: 0o755, content });
    const needs = elfNeeds(content);
    if (needs === null) return;
    if (needs.interpreter !== null) take(needs.interpreter, path);
    for (const library of needs.libraries) {
      const folder = searched.find((one) => root.find(`${one}/${library}`) !== null);
      // The loader is a library of libc's too; it stands where the program header says.
      if (folder === undefined && library.startsWith('ld-')) continue;
      if (folder === undefined) throw missing(library, path);
      take(`${folder}/${library}`, path);
    }
  };
  for (const program of programs) take(program, 'recipes');
  return [...entries.values()];
}

const belowUsr = (path: string): string => (/^(bin|sbin|lib|lib64)\//.test(path) ? `usr/${path}` : path);

function missing(path: string, neededBy: string): OsbuildError {
  const who = neededBy === 'recipes' ? 'the recipes ask for it' : `${neededBy} needs it`;
  return new OsbuildError('OSB_PACKAGE_MISSING', `The initrd cannot have ${path}: the initrd's packages do not hold it, and ${who}.`, {
    hint: 'Add the package that has it to initrd.packages of the recipe, or correct the path.',
    details: { path, neededBy },
  });
}
