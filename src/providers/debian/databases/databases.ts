import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Executor, StepContext } from '../../../model/index.ts';
import { addTar, deliverTree, exists, extractTree, listFolder, putFile, putLink, readFolder, readText, type RootTree, type TreeNode } from '../tar/index.ts';
import { authorityFiles, certificateNames } from './certificates.ts';

type Context = StepContext<'debian/databases'>;

/**
 * Executor of `debian/databases`: what maintainer scripts compile from packaged files, and what depends on packages alone.
 * Extra certificates and hardware rules of recipes come as inputs `sources:<recipe>`.
 */
export const databases: Executor<'debian/databases'> = async (context) => {
  const tree: RootTree = new Map();
  addTar(tree, context.input('files'));
  for (const name of Object.keys(context.task.inputs).filter((input) => input.startsWith('sources:'))) {
    for (const [source, file] of context.inputs(name)) putFile(tree, imagePath(source), await readFile(file));
  }
  const made: RootTree = new Map();
  await addHardwareDatabase(context, tree, made);
  await addCertificates(context, tree, made);
  await addLibraryCache(context, tree, made);
  await deliverTree(context, 'databases.tar', made);
};

/** A recipe's source file (`files/etc/x`) as a path of the image. */
function imagePath(source: string): string {
  return source.replace(/^files(\.\w+)?\//, '');
}

/** The compiler writes the paths of its sources into the result, so they are shown to it where they stand on a device. */
async function addHardwareDatabase(context: Context, tree: RootTree, made: RootTree): Promise<void> {
  if (listFolder(tree, 'usr/lib/udev/hwdb.d').length === 0) return;
  const folder = await prepare(context, 'hwdb', tree, ({ entry }) => /^(usr\/lib|etc)\/udev\/hwdb\.d(\/|$)/.test(entry.path));
  const own = path.join(folder, 'etc/udev');
  await mkdir(path.join(own, 'hwdb.d'), { recursive: true });
  await context.tool({ argv: ['systemd-hwdb', 'update'], mounts: { '/usr/lib/udev/hwdb.d': { path: path.join(folder, 'usr/lib/udev/hwdb.d') }, '/etc/udev': { path: own, rw: true } } });
  putFile(made, 'usr/lib/udev/hwdb.bin', await readFile(path.join(own, 'hwdb.bin')), { mode: 0o444 });
}

/** The bundle, and links by subject hash, in the order and with the names of update-ca-certificates. */
async function addCertificates(context: Context, tree: RootTree, made: RootTree): Promise<void> {
  const files = authorityFiles(tree);
  if (files.length === 0) return;
  const names = certificateNames(files);
  const folder = path.join(context.scratch, 'certs');
  await mkdir(folder);
  let bundle = '';
  for (const [file, name] of names) {
    const text = readText(tree, file) ?? '';
    const certificate = text.endsWith('\n') ? text : `${text}\n`;
    bundle += certificate;
    await writeFile(path.join(folder, name), certificate);
    putLink(made, `etc/ssl/certs/${name}`, `/${file}`);
  }
  await context.tool({ argv: ['openssl', 'rehash', '-v', '/tmp/certs'] });
  for (const [key, { entry }] of await readFolder(folder)) if (entry.type === 'link') putLink(made, `etc/ssl/certs/${key}`, entry.target);
  putFile(made, 'etc/ssl/certs/ca-certificates.crt', bundle);
  putFile(made, 'etc/ca-certificates.conf', files.filter((file) => file.startsWith('usr/share/ca-certificates/')).map((file) => `${file.slice('usr/share/ca-certificates/'.length)}\n`).join(''));
}

const emulators: Record<string, string> = { amd64: 'qemu-x86_64', arm64: 'qemu-aarch64', armhf: 'qemu-arm', armel: 'qemu-arm', i386: 'qemu-i386' };

/**
 * ld.so.cache by the image's own ldconfig: it is linked statically, and the emulator of the tools tree runs it where the
 * architecture is foreign.
 */
async function addLibraryCache(context: Context, tree: RootTree, made: RootTree): Promise<void> {
  if (!exists(tree, 'usr/sbin/ldconfig')) {
    context.log('no ldconfig in the image: no library cache is made; the loader searches its folders');
    return;
  }
  const folder = await prepare(context, 'libraries', tree, ({ entry }) => /^(usr\/lib(32|64)?|usr\/local\/lib)$/.test(entry.path) || isLibrary(entry.path) || /^(lib\w*|etc\/ld\.so\.conf(\.d(\/.*)?)?|usr\/sbin\/ldconfig)$/.test(entry.path));
  await mkdir(path.join(folder, 'var/cache/ldconfig'), { recursive: true });
  const program = '/tmp/libraries/usr/sbin/ldconfig';
  const native = (await context.tool({ argv: ['sh', '-c', `${program} --version >/dev/null 2>&1 && echo yes || echo no`] })).trim() === 'yes';
  const emulator = native ? [] : [emulators[context.args.architecture] ?? 'qemu-arm'];
  await context.tool({ argv: [...emulator, program, '-r', '/tmp/libraries'] });
  await rm(path.join(folder, 'var'), { recursive: true });
  putFile(made, 'etc/ld.so.cache', await readFile(path.join(folder, 'etc/ld.so.cache')));
  for (const [key, { entry }] of await readFolder(folder)) if (entry.type === 'link' && !tree.has(key)) putLink(made, key, entry.target);
}

function isLibrary(name: string): boolean {
  return /^usr\/(local\/)?lib\w*\//.test(name) && /\.so(\.[\w.]+)?$/.test(name) && !/\/(modules|firmware|udev|systemd\/boot)\//.test(name);
}

async function prepare(context: Context, name: string, tree: RootTree, chosen: (node: TreeNode) => boolean): Promise<string> {
  const folder = path.join(context.scratch, name);
  await mkdir(folder);
  await extractTree(tree, folder, (node) => node.entry.type !== 'hardlink' && chosen(node));
  if ((await readdir(folder)).length === 0) throw new Error(`nothing to prepare for ${name}`);
  return folder;
}
