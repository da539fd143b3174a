import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { filesPackage, type Executor, type ManifestPackage, type PackageManifest, type StepArgs } from '../../../model/index.ts';
import { addTar, deliverTree, newEntry, type RootTree } from '../tar/index.ts';
import { readLicences } from '../unpack/licences.ts';
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
  const { built } = context.args;
  if (built !== undefined) {
    const own: RootTree = new Map();
    addTar(own, context.input('built'));
    for (const [key, node] of own) all.set(key, node);
    manifest.packages.push(builtPackage(built, await readFile(context.input('copyright'), 'utf8'), own));
  }
  const { files } = context.args;
  if (files !== undefined) {
    const fetched = context.inputs('files');
    all.set(filesPackage, { entry: newEntry(filesPackage, 'folder'), content: null });
    for (const file of files) {
      const path = fetched.get(file.sha256);
      if (path === undefined) throw new Error(`input files lacks ${file.name}`);
      const { size: sizeBytes } = await stat(path);
      const place = `${filesPackage}/${file.name}`;
      all.set(place, { entry: { ...newEntry(place, 'file'), sizeBytes }, content: { file: path, offset: 0 } });
      manifest.packages.push(fileByUrl(file, sizeBytes));
    }
  }
  await deliverTree(context, 'boot-loader.tar', all);
  await writeFile(context.output('packages.json'), `${JSON.stringify(manifest, null, 1)}\n`);
};

/** What was built as the manifest has packages: by the source package, whose archive of the original sources stands for it. */
function builtPackage({ source, architecture }: NonNullable<StepArgs['debian/boot-loader']['built']>, copyright: string, tree: RootTree): ManifestPackage {
  const files = [...tree.values()].filter(({ entry }) => entry.type === 'file');
  const original = source.files.find(({ filename }) => filename.includes('.orig.tar'));
  return {
    name: source.name,
    version: source.version,
    architecture,
    source: source.name,
    sourceVersion: source.version,
    section: 'admin',
    licences: readLicences(copyright),
    homepage: null,
    installedBytes: files.reduce((sum, { entry }) => sum + entry.sizeBytes, 0),
    downloadBytes: source.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    sha256: original?.sha256 ?? '',
    files: files.length,
  };
}

/** A file by its address as the manifest has packages; its digest is its version. */
function fileByUrl({ name, url, sha256, license }: NonNullable<StepArgs['debian/boot-loader']['files']>[number], sizeBytes: number): ManifestPackage {
  const version = `sha256-${sha256.slice(0, 12)}`;
  return {
    name,
    version,
    architecture: 'all',
    source: name,
    sourceVersion: version,
    section: 'admin',
    licences: license === undefined ? [] : [license],
    homepage: null,
    installedBytes: sizeBytes,
    downloadBytes: sizeBytes,
    sha256,
    downloadUrl: url,
    files: 1,
  };
}

async function scratchFor(scratch: string, name: string): Promise<string> {
  const folder = `${scratch}/${name}`;
  await mkdir(folder);
  return folder;
}
