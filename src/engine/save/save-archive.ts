import { TAR_END, tarHeaderBlocks, tarPadding, type TarMember } from '../archive/index.ts';
import type { LayerStore } from '../images/index.ts';
import type { ByteSink } from '../ports/index.ts';
import type { SavePlan } from './save-plan.ts';

/** Writes the archive. Throws in the middle when a layer turns out to be damaged: what was written is no archive then. */
export async function saveArchive({ files }: SavePlan, layers: Pick<LayerStore, 'tar'>, sink: ByteSink): Promise<void> {
  await sink.write([tarHeaderBlocks(member('blobs/', 0, 0)), tarHeaderBlocks(member('blobs/sha256/', 0, 0))]);
  for (const file of files) {
    if ('content' in file) {
      await sink.write([tarHeaderBlocks(member(file.path, file.content.length, file.mtimeSeconds)), file.content, tarPadding(file.content.length)]);
      continue;
    }
    const tar = layers.tar(file.diffId);
    await sink.write(tarHeaderBlocks(member(file.path, tar.sizeBytes, file.mtimeSeconds)));
    const source = tar.open();
    try {
      for (let part = await source.read(); part !== null; part = await source.read()) await sink.write(part);
    } finally {
      source.close();
    }
    const padding = tarPadding(tar.sizeBytes);
    if (padding.length > 0) await sink.write(padding);
  }
  await sink.write(TAR_END);
}

function member(path: string, sizeBytes: number, mtimeSeconds: number): TarMember {
  const directory = path.endsWith('/');
  return {
    path, type: directory ? 'directory' : 'file', mode: directory ? 0o755 : 0o644, uid: 0, gid: 0, sizeBytes, mtimeSeconds, mtimeNanoseconds: 0, linkPath: '', deviceMajor: 0, deviceMinor: 0, xattrs: new Map(),
  };
}
