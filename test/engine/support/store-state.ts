import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** What a store has on the disk, read without the engine. */
export interface StoreState {
  /** Canonical name → image id. */
  names: Record<string, string>;
  /** Image id → diffIDs. */
  images: Map<string, string[]>;
  /** diffID → folder. */
  layers: Map<string, string>;
  held: Set<string>;
  /** diffIDs that containers stand on. */
  used: Set<string>;
}

export function readStore(dataRoot: string): StoreState {
  const json = (path: string): unknown => JSON.parse(readFileSync(join(dataRoot, path), 'utf8'));
  const has = (path: string): boolean => existsSync(join(dataRoot, path));
  const images = new Map<string, string[]>();
  for (const name of readdirSync(join(dataRoot, 'images')).filter((each) => /^[0-9a-f]{64}\.json$/.test(each))) {
    images.set(`sha256:${name.slice(0, 64)}`, (json(`images/${name}`) as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids);
  }
  const layers = new Map<string, string>();
  for (const name of readdirSync(join(dataRoot, 'layers'))) layers.set((json(`layers/${name}/layer.json`) as { diffId: string }).diffId, join(dataRoot, 'layers', name));
  const holds = has('images/holds.json') ? (json('images/holds.json') as { holds: Record<string, { diffIds: string[] }> }).holds : {};
  const containers = readdirSync(join(dataRoot, 'containers')).map((id) => json(`containers/${id}/container.json`) as { diffIds: string[] });
  return {
    names: has('images/names.json') ? (json('images/names.json') as { names: Record<string, string> }).names : {},
    images, layers,
    held: new Set(Object.values(holds).flatMap(({ diffIds }) => diffIds)),
    used: new Set(containers.flatMap(({ diffIds }) => diffIds)),
  };
}

/** What is wrong with a store whose daemon has just started. `contents`: what layers have, by diffID, as `readFolder` tells it. */
export function storeFaults(dataRoot: string, contents: ReadonlyMap<string, Readonly<Record<string, string>>>): string[] {
  const faults: string[] = [];
  const state = readStore(dataRoot);
  const wanted = new Set([...state.held, ...state.used, ...[...state.images.values()].flat()]);
  for (const name of readdirSync(join(dataRoot, 'tmp'))) faults.push(`unfinished work is left: tmp/${name}`);
  if (existsSync(join(dataRoot, 'damaged'))) faults.push(`set aside as damaged: ${readdirSync(join(dataRoot, 'damaged')).join(' ')}`);
  for (const [name, id] of Object.entries(state.names)) if (!state.images.has(id)) faults.push(`${name} names ${id}, which is not there`);
  for (const [id, diffIds] of state.images) for (const diffId of diffIds) if (!state.layers.has(diffId)) faults.push(`${id} lacks ${diffId}`);
  for (const [diffId, folder] of state.layers) {
    if (!wanted.has(diffId)) faults.push(`nothing wants ${diffId}`);
    const expected = contents.get(diffId);
    if (expected === undefined) continue;
    const actual = readFolder(join(folder, 'diff'));
    for (const path of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      if (expected[path] !== actual[path]) faults.push(`${diffId} ${path}: ${actual[path] ?? 'missing'} in place of ${expected[path] ?? 'nothing'}`);
    }
  }
  return faults;
}

/** Path → what stands there: a file's hash, a link's target, 'folder' or 'other'. */
export function readFolder(folder: string, below = ''): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(folder, below))) {
    const path = below === '' ? name : `${below}/${name}`;
    const stat = lstatSync(join(folder, path));
    if (stat.isDirectory()) Object.assign(found, { [path]: 'folder' }, readFolder(folder, path));
    else if (stat.isFile()) found[path] = createHash('sha256').update(readFileSync(join(folder, path))).digest('hex');
    else found[path] = stat.isSymbolicLink() ? `-> ${readlinkSync(join(folder, path))}` : 'other';
  }
  return found;
}
