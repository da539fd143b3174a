import { lstat, lutimes, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { PreloadedData, PreloadedImage } from '../model/index.ts';
import { formatImageName, parseImageName } from '../registry/index.ts';
import { steadyRecord } from './steady-record.ts';

/** What a new engine makes anew: its identity, its lock, its reserve, what it has not got. */
const kept = new Set(['store.json', 'images', 'layers']);
const blockBytes = 4096;

interface Names {
  names: Record<string, string>;
  taggedAt: Record<string, string>;
  formats?: Record<string, string>;
}

/**
 * Makes of an engine's data root what a device starts with: without what belongs to one engine, with the names by digest that a pull would have
 * given, and with times that are the same for every build.
 */
export async function finishStore(dataRoot: string, images: readonly PreloadedImage[], { epoch, startedMs }: { epoch: number; /** When the engine began. */ startedMs: number }): Promise<void> {
  for (const name of await readdir(dataRoot)) if (!kept.has(name)) await rm(join(dataRoot, name), { recursive: true, force: true });
  const file = join(dataRoot, 'images', 'names.json');
  const document = JSON.parse(await readFile(file, 'utf8')) as Names;
  for (const { reference, digest, id } of images) {
    const { registry, path, digest: named } = parseImageName(reference);
    for (const known of [digest, named]) if (known !== undefined && known !== id) document.names[formatImageName({ registry, path, digest: known })] = id;
  }
  const sorted = <T>(record: Record<string, T>): Record<string, T> => Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const taggedAt = Object.fromEntries(Object.keys(document.taggedAt).map((id) => [id, new Date(epoch * 1000).toISOString()]));
  await writeFile(file, JSON.stringify({ ...document, names: sorted(document.names), taggedAt: sorted(taggedAt), ...(document.formats === undefined ? {} : { formats: sorted(document.formats) }) }));
  await rm(join(dataRoot, 'images', 'holds.json'), { force: true });
  for (const layer of await readdir(join(dataRoot, 'layers'))) {
    const record = join(dataRoot, 'layers', layer, 'tar-record.gz');
    await writeFile(record, steadyRecord(await readFile(record)));
  }
  await steadyTimes(dataRoot, epoch, startedMs);
}

/** The engine's own files get the time of the build; those of images keep theirs, but for the folder that holds them, where the image does not say. */
async function steadyTimes(dataRoot: string, epoch: number, startedMs: number): Promise<void> {
  const own = [dataRoot, join(dataRoot, 'store.json'), join(dataRoot, 'images'), join(dataRoot, 'layers')];
  for (const name of await readdir(join(dataRoot, 'images'))) own.push(join(dataRoot, 'images', name));
  for (const layer of await readdir(join(dataRoot, 'layers'))) {
    const folder = join(dataRoot, 'layers', layer);
    own.push(folder);
    for (const name of await readdir(folder)) if (name !== 'diff') own.push(join(folder, name));
    own.push(...(await untold(join(folder, 'diff'), startedMs)));
  }
  for (const path of own) await lutimes(path, epoch, epoch);
}

/** Folders that an archive did not name but only went through, and what stands for a file that a layer takes away, have the time of the extraction. */
async function untold(folder: string, startedMs: number): Promise<string[]> {
  const found: string[] = [];
  const visit = async (path: string): Promise<void> => {
    const stat = await lstat(path);
    if (stat.mtimeMs >= startedMs && (stat.isDirectory() || (stat.isCharacterDevice() && stat.rdev === 0))) found.push(path);
    if (!stat.isDirectory()) return;
    for (const name of await readdir(path)) await visit(join(path, name));
  };
  await visit(folder);
  return found;
}

/** How much room a folder's content takes. */
export async function measureTree(folder: string): Promise<PreloadedData> {
  const facts: PreloadedData = { contentBytes: 0, entries: 0 };
  const seen = new Set<number>();
  const visit = async (path: string): Promise<void> => {
    const stat = await lstat(path);
    facts.entries += 1;
    if (!seen.has(stat.ino)) facts.contentBytes += stat.isDirectory() ? blockBytes : Math.ceil(stat.size / blockBytes) * blockBytes;
    seen.add(stat.ino);
    if (stat.isDirectory()) for (const name of await readdir(path)) await visit(join(path, name));
  };
  await visit(folder);
  return facts;
}
