import { OsbuildError } from '../../model/index.ts';
import type { PrivateEngine } from './private-engine.ts';

export interface DeltaSummary {
  /** Under which the target is loaded from the delta. */
  name: string;
  /** Ids of the images: base, target, and the delta itself. */
  base: string;
  target: string;
  id: string;
}

/** Writes the delta between the images of two archives to a file. Throws OSB_USAGE when an archive has not exactly one image, or the target no name. */
export async function makeDelta(engine: PrivateEngine, basePath: string, targetPath: string, tag: string | undefined, file: string): Promise<DeltaSummary> {
  const base = await loadOne(engine, basePath);
  return deltaBetween(engine, base, await loadOne(engine, targetPath), targetPath, tag, file);
}

/** In the private engine alone: a device calls the target by the name that it asks for. */
const deltaName = 'osbuild.local/delta:made';

/** Deltas from several bases to one image, which is loaded once; a base goes when its delta is made. */
export function deltaMaker(engine: PrivateEngine): { make(basePath: string, targetPath: string, file: string): Promise<void> } {
  let target: LoadedImage | undefined;
  return {
    async make(basePath, targetPath, file) {
      target ??= await loadOne(engine, targetPath);
      const base = await loadOne(engine, basePath);
      await deltaBetween(engine, base, target, targetPath, deltaName, file);
      for (const name of [deltaName, base.id]) await engine.command('rmi', '-f', name);
    },
  };
}

interface LoadedImage {
  id: string;
  name: string | undefined;
}

async function deltaBetween(engine: PrivateEngine, base: LoadedImage, target: LoadedImage, targetPath: string, tag: string | undefined, file: string): Promise<DeltaSummary> {
  const name = tag ?? target.name;
  if (name === undefined) throw new OsbuildError('OSB_USAGE', `the image in ${targetPath} has no name`, { hint: 'say with --tag NAME what the target is called on the device' });
  await engine.command('image', 'delta', base.id, target.id, '-t', name);
  await engine.command('save', '-o', file, name);
  return { name, base: base.id, target: target.id, id: await engine.command('inspect', '-f', '{{.Id}}', name) };
}

async function loadOne(engine: PrivateEngine, path: string): Promise<LoadedImage> {
  const loaded = [...(await engine.command('load', '-i', path)).matchAll(/^Loaded image(?<unnamed> ID)?: (?<name>\S+)$/gm)];
  const ids = new Set<string>();
  for (const { groups } of loaded) ids.add(await engine.command('inspect', '-f', '{{.Id}}', groups?.['name'] ?? ''));
  const [id] = ids;
  if (id === undefined || ids.size > 1) throw new OsbuildError('OSB_USAGE', `${path} has ${ids.size} images, and a delta is between two`, { hint: 'save one image in each archive' });
  return { id, name: loaded.find(({ groups }) => groups?.['unnamed'] === undefined)?.groups?.['name'] };
}
