import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { OsbuildError } from '../model/index.ts';
import type { StepContext } from '../model/index.ts';
import { packCpio, type CpioEntry } from './cpio.ts';
import { chooseInitrdModules, type InitrdModules } from './initrd-modules.ts';
import { programEntries } from './initrd-programs.ts';
import { checkPicture } from './picture.ts';
import { openTarRoot, type TarRoot } from './tar-root.ts';

/** What initrd.json tells: the kernel whose modules are inside, and what was put in, in bytes. */
export interface InitrdReport {
  kernelVersion: string;
  modules: string[];
  programs: string[];
  unpackedBytes: number;
  compressedBytes: number;
}

const folders = ['dev', 'etc', 'etc/minke', 'proc', 'root', 'run', 'sys', 'sysroot', 'tmp', 'usr', 'usr/bin', 'usr/lib', 'usr/lib/minke', 'usr/sbin'];
const links = { bin: 'usr/bin', lib: 'usr/lib', lib64: 'usr/lib64', sbin: 'usr/sbin' };
/** The clock of a board without a battery is in the past, and file systems seem to come from the future. */
const e2fsckConfiguration = '[options]\nbroken_system_clock=1\n';

/** Makes the initrd from programs of its packages, the kernel's modules, and the scripts of the recipes' `initrd/` folders. */
export async function buildInitrd(context: StepContext<'image/initrd'>): Promise<void> {
  const { args, epoch } = context;
  const kernel = openTarRoot(context.input('modules'));
  const packages = openTarRoot(context.input('packages'));
  try {
    const modules = chooseInitrdModules(kernel, args.modules, args.drivers);
    if (modules.missing.length > 0) throw incomplete(modules);
    const entries = new Map<string, CpioEntry>();
    const add = (entry: CpioEntry): void => void entries.set(entry.path, entry);
    for (const path of folders) add({ path, type: 'folder', mode: 0o755 });
    for (const [path, target] of Object.entries(links)) add({ path, type: 'symlink', target });
    add({ path: 'dev/console', type: 'character', mode: 0o600, major: 5, minor: 1 });
    add({ path: 'dev/null', type: 'character', mode: 0o666, major: 1, minor: 3 });
    for (const entry of programEntries(packages, args.arch, args.programs)) add(entry);
    for (const name of args.built) add({ path: `usr/sbin/${name}`, type: 'file', mode: 0o755, content: await readFile(context.input(`built:${name}`)) });
    for (const entry of await moduleEntries(context, kernel, modules)) add(entry);
    for (const [path, file] of args.scripts.flatMap((name) => [...context.inputs(name)])) {
      const content = await readFile(file);
      if (path.endsWith('.png')) checkPicture(path, content);
      add({ path: scriptPath(path), type: 'file', mode: 0o755, content });
    }
    add({ path: 'etc/e2fsck.conf', type: 'file', mode: 0o644, content: Buffer.from(e2fsckConfiguration) });
    add({ path: 'etc/minke/initrd.conf', type: 'file', mode: 0o644, content: Buffer.from(shellVariables(args.settings)) });
    addParents(entries);
    const archive = packCpio([...entries.values()], epoch);
    await writeFile(join(context.scratch, 'initrd.cpio'), archive);
    const pack = args.compression === 'zstd' ? ['zstd', '-q', '-9', '--single-thread', '/scratch/initrd.cpio', '-o', '/out/initrd.img'] : ['cp', '/scratch/initrd.cpio', '/out/initrd.img'];
    await context.tool({ argv: pack, mounts: { '/scratch': { path: context.scratch } } });
    const report: InitrdReport = {
      kernelVersion: modules.kernelVersion,
      modules: modules.files.map((file) => basename(file)),
      programs: [...args.programs, ...args.built.map((name) => `/usr/sbin/${name}`)],
      unpackedBytes: archive.length,
      compressedBytes: (await stat(context.output('initrd.img'))).size,
    };
    await writeFile(context.output('initrd.json'), `${JSON.stringify(report, null, 2)}\n`);
  } finally {
    kernel.close();
    packages.close();
  }
}

/** `init` is the first program; what stands in `lib/` goes where init looks for it. Both below `initrd/`, or `flasher/` for that of a flasher. */
function scriptPath(path: string): string {
  const inside = path.replace(/^(initrd|flasher)\//, '');
  return inside === 'init' ? 'init' : `usr/lib/minke/initrd/${basename(inside)}`;
}

function shellVariables(settings: Record<string, string>): string {
  return Object.entries(settings)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}='${value.replaceAll("'", "'\\''")}'\n`)
    .join('');
}

async function moduleEntries(context: StepContext<'image/initrd'>, root: TarRoot, modules: InitrdModules): Promise<CpioEntry[]> {
  const plain = (file: string): string => file.replace(/\.ko\.\w+$/, '.ko');
  const unpacked = await unpackModules(context, root, modules);
  const contents = modules.files.map(
    (file): CpioEntry => ({ path: `${modules.folder}/${plain(file)}`, type: 'file', mode: 0o644, content: unpacked.get(file) ?? root.read(`${modules.folder}/${file}`) }),
  );
  const lists = {
    [`${modules.folder}/modules.dep`]: modules.dep.replaceAll(/\.ko\.\w+/g, '.ko'),
    [`${modules.folder}/modules.alias`]: modules.alias,
    'usr/lib/minke/modules/always': modules.always.map((file) => `${plain(file)}\n`).join(''),
    'usr/lib/minke/modules/drivers': modules.drivers.map((name) => `${name}\n`).join(''),
  };
  const texts = Object.entries(lists).map(([path, text]): CpioEntry => ({ path, type: 'file', mode: 0o644, content: Buffer.from(text) }));
  return [...contents, ...texts];
}

/** Contents of those modules that the kernel package has compressed: the initrd is compressed as a whole. */
async function unpackModules(context: StepContext<'image/initrd'>, root: TarRoot, modules: InitrdModules): Promise<Map<string, Buffer>> {
  const packed = modules.files.filter((file) => !file.endsWith('.ko'));
  if (packed.length === 0) return new Map();
  const folder = join(context.scratch, 'modules');
  await mkdir(folder, { recursive: true });
  for (const file of packed) await writeFile(join(folder, basename(file)), root.read(`${modules.folder}/${file}`));
  const programs = [['xz', '-d'], ['zst', '-q', '-d', '--rm'], ['gz', '-d']];
  for (const [ending = '', ...options] of programs) {
    const files = packed.map((file) => basename(file)).filter((name) => name.endsWith(`.${ending}`));
    const program = { xz: 'xz', zst: 'zstd', gz: 'gzip' }[ending] ?? ending;
    if (files.length > 0) await context.tool({ argv: [program, ...options, ...files.map((name) => `/scratch/${name}`)], mounts: { '/scratch': { path: folder, rw: true } } });
  }
  return new Map(await Promise.all(packed.map(async (file) => [file, await readFile(join(folder, basename(file).replace(/\.\w+$/, '')))] as const)));
}

function addParents(entries: Map<string, CpioEntry>): void {
  for (const path of Array.from(entries.keys())) {
    for (let parent = path; parent.includes('/'); ) {
      parent = parent.slice(0, parent.lastIndexOf('/'));
      if (!entries.has(parent)) entries.set(parent, { path: parent, type: 'folder', mode: 0o755 });
    }
  }
}

function incomplete(modules: InitrdModules): OsbuildError {
  const names = modules.missing.join(', ');
  return new OsbuildError('OSB_KERNEL_INCOMPLETE', `The initrd needs kernel modules that Linux ${modules.kernelVersion} has neither built in nor as modules: ${names}.`, {
    hint: 'Check the names in kernel.initrdModules of the machine and initrd.modules of the recipes, and whether kernel.modules of the machine excludes them.',
    details: { missing: modules.missing, kernelVersion: modules.kernelVersion },
  });
}
