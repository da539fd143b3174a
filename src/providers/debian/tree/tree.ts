import { constants } from 'node:fs';
import { chmod, link, mkdir, open, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Executor, LockedPackage, StepContext } from '../../../model/index.ts';
import { newEntry, realParent, type RootTree } from '../tar/index.ts';
import { parseAlternatives } from '../finish/alternatives.ts';
import { readDebControl, readDebFiles } from '../unpack/deb.ts';
import { usrMerged } from '../unpack/merge.ts';

type Context = StepContext<'debian/tree'>;

/** What no tool reads; leaving it out halves the number of files of a tree. */
const leftOut = /^usr\/share\/(doc|man|info|locale|lintian|bug|doc-base|gtk-doc|help)(\/|$)/;

/** Executor of `debian/tree`. Files belong to the caller; nothing is ever written through a link of a package. */
export const tree: Executor<'debian/tree'> = async (context) => {
  const known: RootTree = new Map();
  const queue = context.args.packages.toSorted((a, b) => b.sizeBytes - a.sizeBytes);
  const totalBytes = queue.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const debs = context.inputs('debs');
  const scripts: string[] = [];
  let doneBytes = 0;
  await prepareRoot(context, known);
  const work = async (waiting: LockedPackage[]): Promise<void> => {
    for (let locked = waiting.shift(); locked !== undefined; locked = waiting.shift()) {
      context.signal.throwIfAborted();
      const deb = debs.get(`${locked.sha256}.deb`);
      if (deb === undefined) throw new Error(`input debs lacks ${locked.name}`);
      scripts.push((await readDebControl(context, deb, locked)).scripts['postinst'] ?? '');
      await extractPackage(context, deb, known);
      doneBytes += locked.sizeBytes;
      context.progress(doneBytes, totalBytes, 'bytes', locked.name);
    }
  };
  // Its links of folders (/var/run, /lib64) must stand before files of others come through them.
  const first = queue.findIndex(({ name }) => name === 'base-files');
  if (first >= 0) await work(queue.splice(first, 1));
  await Promise.all([work(queue), work(queue)]);
  await placeAlternatives(context.tree(), known, scripts);
};

async function prepareRoot(context: Context, known: RootTree): Promise<void> {
  const root = context.tree();
  const at = (...parts: string[]): string => path.join(root, ...parts);
  for (const folder of ['usr/bin', 'usr/sbin', 'usr/lib', 'etc', 'var/tmp', 'proc', 'sys', 'dev', 'tmp', 'run', 'in', 'out', 'root']) {
    await mkdir(at(folder), { recursive: true });
    for (let part = folder; part !== '.'; part = path.dirname(part)) known.set(part, { entry: newEntry(part, 'folder'), content: null });
  }
  const merged = ['bin', 'sbin', 'lib', ...(context.args.architecture === 'amd64' ? ['lib64'] : [])];
  for (const name of merged) {
    await mkdir(at('usr', name), { recursive: true });
    await symlink(`usr/${name}`, at(name));
    known.set(name, { entry: newEntry(name, 'link', { target: `usr/${name}` }), content: null });
    known.set(`usr/${name}`, { entry: newEntry(`usr/${name}`, 'folder'), content: null });
  }
  const files: Record<string, string> = {
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
    'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
    'etc/nsswitch.conf': 'passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\nprotocols: files\n',
    'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
  };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(at(name), text);
    known.set(name, { entry: newEntry(name, 'file'), content: null });
  }
}

async function extractPackage(context: Context, deb: string, known: RootTree): Promise<void> {
  const root = context.tree();
  const hardLinks: [from: string, to: string][] = [];
  for await (const member of readDebFiles(context, deb)) {
    const packaged = usrMerged(member.entry.path);
    if (packaged === '' || leftOut.test(packaged)) continue;
    // Links of the tree are followed here, inside it, and never by the kernel.
    const place = realParent(known, packaged);
    const { type, mode, target } = member.entry;
    const present = known.get(place)?.entry.type;
    const full = path.join(root, place);
    if (type === 'folder') {
      if (present === undefined) {
        known.set(place, { entry: { ...member.entry, path: place }, content: null });
        await mkdir(full, { recursive: true });
      }
      continue;
    }
    if (present !== undefined) continue;
    known.set(place, { entry: { ...member.entry, path: place }, content: null });
    await mkdir(path.dirname(full), { recursive: true });
    if (type === 'link') await symlink(target, full);
    else if (type === 'hardlink') hardLinks.push([realParent(known, usrMerged(target)), place]);
    else if (type === 'file') {
      const handle = await open(full, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
      try {
        for await (const piece of member.data()) await handle.writeFile(piece);
      } finally {
        await handle.close();
      }
      await chmod(full, (mode & 0o777) | 0o400 | (mode & 0o111 ? 0o111 : 0));
    }
  }
  for (const [from, to] of hardLinks) await link(path.join(root, from), path.join(root, to));
}

/** Commands that exist only as alternatives (awk, for one): the one of highest priority, as a plain link. */
async function placeAlternatives(root: string, known: RootTree, scripts: string[]): Promise<void> {
  const best = new Map<string, { path: string; priority: number }>();
  for (const { link: place, path: target, priority, slave } of scripts.flatMap((script) => parseAlternatives(script))) {
    if (slave || !known.has(realParent(known, target.slice(1)))) continue;
    const chosen = best.get(place);
    if (chosen === undefined || priority > chosen.priority || (priority === chosen.priority && target < chosen.path)) best.set(place, { path: target, priority });
  }
  for (const [place, { path: target }] of best) {
    const key = realParent(known, place.slice(1));
    if (known.has(key)) continue;
    await mkdir(path.dirname(path.join(root, key)), { recursive: true });
    await symlink(target, path.join(root, key));
  }
}
