import path from 'node:path';
import type { LockedPackage, StepContext, StepKind } from '../../../model/index.ts';
import type { TreeNode } from '../tar/index.ts';
import { readAll, readDebControl, readDebFiles, type PackageControl } from './deb.ts';
import type { Excluded } from './exclude.ts';
import type { PackageCount } from './manifest.ts';
import { usrMerged, type PackageFiles } from './merge.ts';
import { openSpool, type Spool } from './spool.ts';

export interface Collected {
  files: PackageFiles;
  control: PackageControl;
  count: PackageCount;
}

type Context = Pick<StepContext<StepKind>, 'hostStream' | 'inputs' | 'scratch' | 'progress' | 'signal'>;

const copyrightLimitBytes = 4 << 20;

/**
 * Reads packages, several at a time, into spool files in the scratch folder. Memory holds names and owners alone.
 * @param lanes how many packages are decompressed at once
 */
export async function collectPackages(context: Context, packages: LockedPackage[], excluded: Excluded, lanes = 2): Promise<Collected[]> {
  const debs = context.inputs('debs');
  const results = new Map<string, Collected>();
  const queue = packages.toSorted((a, b) => b.sizeBytes - a.sizeBytes);
  const totalBytes = packages.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  const lane = async (number: number): Promise<void> => {
    const spool = await openSpool(path.join(context.scratch, `spool-${number}`));
    try {
      for (let locked = queue.shift(); locked !== undefined; locked = queue.shift()) {
        context.signal.throwIfAborted();
        const deb = debs.get(`${locked.sha256}.deb`);
        if (deb === undefined) throw new Error(`input debs lacks ${locked.name}`);
        const control = await readDebControl(context, deb, locked);
        results.set(`${locked.name}:${locked.architecture}`, { control, ...(await collectOne(context, deb, locked, control, excluded, spool)) });
        doneBytes += locked.sizeBytes;
        context.progress(doneBytes, totalBytes, 'bytes', locked.name);
      }
    } finally {
      await spool.close();
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  return packages.map((locked) => {
    const collected = results.get(`${locked.name}:${locked.architecture}`);
    if (collected === undefined) throw new Error(`${locked.name} was not collected`);
    return collected;
  });
}

async function collectOne(context: Context, deb: string, locked: LockedPackage, control: PackageControl, excluded: Excluded, spool: Spool): Promise<Omit<Collected, 'control'>> {
  const nodes: TreeNode[] = [];
  const excludedFolders: PackageFiles['excludedFolders'] = new Map();
  const dropped = new Map<string, TreeNode>();
  const documentation = `usr/share/doc/${locked.name}`;
  const count: PackageCount = { installedBytes: 0, files: 0, copyright: null, copyrightOf: null };
  for await (const member of readDebFiles(context, deb)) {
    const entry = { ...member.entry, path: usrMerged(member.entry.path), target: member.entry.type === 'hardlink' ? usrMerged(member.entry.target) : member.entry.target };
    if (entry.path === '') continue;
    if (entry.path === documentation && entry.type === 'link') count.copyrightOf = path.posix.basename(entry.target);
    const out = excluded(entry.path);
    let bytes: Buffer | null = null;
    if (entry.path === `${documentation}/copyright` && entry.type === 'file') {
      bytes = await readAll(member, copyrightLimitBytes);
      count.copyright = bytes.toString('utf8');
    } else if (entry.path === `${documentation}/copyright` && entry.type === 'link') {
      count.copyrightOf = /(?:^|\/)([^/]+)\/copyright$/.exec(entry.target)?.[1] ?? null;
    }
    if (entry.type === 'hardlink' && !out && dropped.has(entry.target)) {
      throw new Error(`${locked.name}: ${entry.path} is a hard link to ${entry.target}, which is excluded; exclude both or keep both`);
    }
    if (out) {
      if (entry.type === 'folder') excludedFolders.set(entry.path, entry);
      if (entry.type === 'file') dropped.set(entry.path, { entry, content: null });
      continue;
    }
    if (entry.type !== 'file') {
      nodes.push({ entry, content: null });
      continue;
    }
    const offset = spool.position();
    if (bytes !== null) await spool.append(bytes);
    else for await (const piece of member.data()) await spool.append(piece);
    nodes.push({ entry, content: { file: spool.file, offset } });
    count.installedBytes += entry.sizeBytes;
    count.files += 1;
  }
  return { files: { name: locked.name, replaces: replacedPackages(control), nodes, excludedFolders }, count };
}

function replacedPackages(control: PackageControl): Set<string> {
  const list = `${control.fields['Replaces'] ?? ''},${control.fields['Conflicts'] ?? ''}`;
  return new Set(list.split(',').map((item) => item.trim().split(/[\s(:]/)[0] ?? '').filter((name) => name !== ''));
}
