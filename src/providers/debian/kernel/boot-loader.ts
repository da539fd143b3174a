import { mkdir, writeFile } from 'node:fs/promises';
import type { Executor, PackageManifest } from '../../../model/index.ts';
import { deliverTree, newEntry, type RootTree } from '../tar/index.ts';
import { unpackPackages } from '../unpack/unpack.ts';

/** Executor of `debian/boot-loader`: packages are kept apart, since several may bring the same path. */
export const bootLoader: Executor<'debian/boot-loader'> = async (context) => {
  const all: RootTree = new Map();
  const manifest: PackageManifest = { packages: [] };
  for (const locked of context.args.packages) {
    const unpacked = await unpackPackages({ ...context, scratch: await scratchFor(context.scratch, locked.name) }, [locked], ['/usr/share/doc/**', '/usr/share/man/**']);
    all.set(locked.name, { entry: newEntry(locked.name, 'folder'), content: null });
    for (const [key, { entry, content }] of unpacked.tree) {
      const place = `${locked.name}/${key}`;
      const target = entry.type === 'hardlink' ? `${locked.name}/${entry.target}` : entry.target;
      all.set(place, { entry: { ...entry, path: place, target }, content });
    }
    manifest.packages.push(...unpacked.manifest.packages);
  }
  await deliverTree(context, 'boot-loader.tar', all);
  await writeFile(context.output('packages.json'), `${JSON.stringify(manifest, null, 1)}\n`);
};

async function scratchFor(scratch: string, name: string): Promise<string> {
  const folder = `${scratch}/${name}`;
  await mkdir(folder);
  return folder;
}
