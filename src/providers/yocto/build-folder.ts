import { copyFile, chmod, lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { StepContext } from '../../model/index.ts';
import { bblayersConf } from './conf/bblayers.ts';
import type { YoctoPorts } from './ports.ts';

type Context = StepContext<'yocto/image'> | StepContext<'yocto/inspect'>;

/** Folders of one machine's build; downloads and shared state belong to all of them. */
export function buildFolder({ cacheFolder }: Pick<YoctoPorts, 'cacheFolder'>, name: string): string {
  return join(cacheFolder, 'yocto', 'build', name);
}

/**
 * Writes what bitbake reads: conf/ and the generated layer. A file that is right already is not touched, or bitbake would
 * read every recipe again.
 */
export async function writeBuildFolder(context: Context, ports: YoctoPorts, layers: readonly string[]): Promise<string> {
  const { args } = context;
  const build = buildFolder(ports, args.name);
  const project = join(build, 'layer');
  const shared = join(ports.cacheFolder, 'yocto');
  await mkdir(join(build, 'home'), { recursive: true });
  for (const folder of ['downloads', 'sstate']) await mkdir(join(shared, folder), { recursive: true });
  const wanted = new Map<string, Wanted>(Object.entries(args.generated).map(([path, text]) => [path, { text }]));
  for (const [name, input] of Object.entries(context.task.inputs)) {
    if (!name.startsWith('recipe:') || input.from !== 'sources') continue;
    const paths = context.inputs(name);
    for (const { path, type } of input.files) wanted.set(`files/${name.slice('recipe:'.length)}/${path}`, { from: paths.get(path) ?? '', type });
  }
  const host = context.task.inputs['engine-host'];
  if (host?.from === 'sources') {
    wanted.set('engine/bundle.js', { from: context.input('engine-bundle'), type: 'file' });
    for (const [path, from] of context.inputs('engine-host')) wanted.set(`engine/host/${path}`, { from, type: 'file' });
  }
  await mirror(project, wanted);
  await put(join(build, 'conf/bblayers.conf'), { text: bblayersConf([...layers, project]) });
  await put(join(build, 'conf/local.conf'), { text: args.localConf });
  await put(join(build, 'conf/site.conf'), { text: siteConf(shared, ports.processors) });
  return build;
}

/** What is this host's own and changes no result. */
export function siteConf(shared: string, processors: number): string {
  return `# Written by osbuild before every build: this host.
DL_DIR = "${shared}/downloads"
SSTATE_DIR = "${shared}/sstate"
TMPDIR = "\${TOPDIR}/tmp"
BB_NUMBER_THREADS = "${processors}"
BB_NUMBER_PARSE_THREADS = "${processors}"
PARALLEL_MAKE = "-j ${processors}"
BB_DISKMON_DIRS = "\\
  STOPTASKS,\${TMPDIR},1G,100K \\
  STOPTASKS,\${DL_DIR},1G,100K \\
  STOPTASKS,\${SSTATE_DIR},1G,100K \\
  HALT,\${TMPDIR},100M,1K \\
  HALT,\${DL_DIR},100M,1K \\
  HALT,\${SSTATE_DIR},100M,1K"
`;
}

type Wanted = { text: string } | { from: string; type: 'file' | 'executable' | 'link' };

/** Makes a folder hold just these files. */
async function mirror(folder: string, wanted: ReadonlyMap<string, Wanted>): Promise<void> {
  for (const path of await listFiles(folder, '')) if (!wanted.has(path)) await rm(join(folder, path));
  for (const [path, item] of wanted) await put(join(folder, path), item);
}

async function listFiles(root: string, below: string): Promise<string[]> {
  const entries = await readdir(join(root, below), { withFileTypes: true }).catch(() => []);
  const found = await Promise.all(entries.map((entry) => (entry.isDirectory() ? listFiles(root, `${below}${entry.name}/`) : [`${below}${entry.name}`])));
  return found.flat();
}

async function put(path: string, wanted: Wanted): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const there = await lstat(path).catch(() => null);
  if ('from' in wanted && wanted.type === 'link') {
    const target = await readlink(wanted.from);
    if (there?.isSymbolicLink() === true && (await readlink(path)) === target) return;
    await rm(path, { force: true });
    return symlink(target, path);
  }
  const content = 'text' in wanted ? Buffer.from(wanted.text) : await readFile(wanted.from);
  const mode = 'from' in wanted && wanted.type === 'executable' ? 0o755 : 0o644;
  if (there?.isFile() === true && there.size === content.length && (there.mode & 0o777) === mode && content.equals(await readFile(path))) return;
  await rm(path, { force: true });
  if ('text' in wanted) await writeFile(path, content, { mode });
  else await copyFile(wanted.from, path);
  await chmod(path, mode);
}
