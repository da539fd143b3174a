import { chmod, copyFile, cp, lstat, lutimes, mkdir, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { BlobStore, CacheLayout } from '../../cache/index.ts';
import { OsbuildError, type Executors, type PreloadSteps, type StepContext } from '../../model/index.ts';
import { finishStore, measureTree } from '../../preload/index.ts';
import { fetchArchive } from '../../publish/index.ts';
import { parseImageName, type ImageName, type Repository } from '../../registry/index.ts';
import { withPrivateEngine } from './private-engine.ts';

/** What steps of preloading want of the world besides a step's own context. */
export interface PreloadPorts {
  blobs: BlobStore;
  layout: CacheLayout;
  open(name: ImageName, insecure: boolean, signal: AbortSignal): Promise<Repository>;
}

export function createPreloadExecutors(ports: PreloadPorts): Pick<Executors, keyof PreloadSteps> {
  return {
    'preload/fetch': { version: 1, run: (context) => fetchImage(context, ports) },
    'preload/store': { version: 1, run: makeStore },
  };
}

async function fetchImage(context: StepContext<'preload/fetch'>, { blobs, layout, open }: PreloadPorts): Promise<void> {
  const { image, registry } = context.args;
  const repository = await open(parseImageName(registry.repository), registry.insecure, context.signal);
  const [config, ...layers] = registry.blobs;
  if (config === undefined) throw new Error(`${image.reference} has no configuration`);
  const { mediaType, text } = registry.manifest;
  const manifest = { mediaType, digest: image.digest, sizeBytes: Buffer.byteLength(text), config, layers, artifactType: null, subject: null, text };
  await fetchArchive(repository, manifest, { blobs, layout }, context.output('image.tar'), (done, total) => context.progress(done, total, 'bytes'));
}

/** The engine's own code puts the images into a store; nothing of it runs on the device but what it reads there. */
async function makeStore(context: StepContext<'preload/store'>): Promise<void> {
  const { images, archives, compose } = context.args;
  const startedMs = Date.now() - 1;
  const data = join(context.scratch, 'data');
  await mkdir(data);
  await withPrivateEngine({
    binary: context.input('engine'), folder: context.scratch, env: { ...context.hostEnvironment }, signal: context.signal,
    async afterwards(dataRoot) {
      await finishStore(dataRoot, images, { epoch: context.epoch, startedMs });
      await rename(dataRoot, join(data, 'minke'));
    },
  }, async (engine) => {
    for (const [index, name] of archives.entries()) {
      context.progress(index, archives.length, 'items');
      await engine.command('load', '-q', '-i', archivePath(context, name));
    }
    for (const { reference, id } of images) {
      await engine.command('image', 'inspect', id).catch((cause: unknown) => {
        throw new OsbuildError('OSB_TASK_FAILED', `the archive of ${reference} holds no image ${id}`, { cause });
      });
      const { tag, digest } = parseImageName(reference);
      // A name by its digest alone is given with the others that a pull would give.
      if (digest === undefined || tag !== undefined) await engine.command('tag', id, reference.replace(/@.*$/, ''));
    }
    const wanted = new Set(images.map(({ id }) => id));
    for (const id of new Set((await engine.command('images', '-q', '--no-trunc')).split('\n').filter(Boolean))) if (!wanted.has(id)) await engine.command('rmi', '-f', id);
  });
  await placeApplications(context, join(data, 'apps'), compose);
  await writeFile(context.output('data.json'), `${JSON.stringify(await measureTree(data))}\n`);
  await pack(context, data);
  await rm(data, { recursive: true, force: true });
}

/** A local archive is the only file of its sources. */
function archivePath(context: StepContext<'preload/store'>, name: string): string {
  const input = context.task.inputs[name];
  if (input?.from !== 'sources') return context.input(name);
  const [path] = context.inputs(name).values();
  if (path === undefined) throw new Error(`${name} names no archive`);
  return path;
}

/** The compose file, under the name that the device looks for, and what it refers to. */
async function placeApplications(context: StepContext<'preload/store'>, folder: string, compose: string): Promise<void> {
  await mkdir(folder, { mode: 0o755 });
  for (const [path, source] of context.inputs('files')) {
    const target = join(folder, path === compose ? 'compose.yaml' : path);
    await mkdir(dirname(target), { recursive: true });
    const stat = await lstat(source);
    if (stat.isSymbolicLink()) await cp(source, target, { verbatimSymlinks: true });
    else {
      await copyFile(source, target);
      await chmod(target, (stat.mode & 0o100) === 0 ? 0o644 : 0o755);
    }
  }
  const steady = async (path: string): Promise<void> => {
    const stat = await lstat(path);
    if (stat.isDirectory()) {
      await chmod(path, 0o755);
      for (const name of await readdir(path)) await steady(join(path, name));
      await utimes(path, context.epoch, context.epoch);
    } else await lutimes(path, context.epoch, context.epoch);
  };
  await steady(folder);
  await chmod(dirname(folder), 0o755);
  await utimes(dirname(folder), context.epoch, context.epoch);
}

/** With GNU tar of the tree, but as the host's root: a sandbox has one user, and images have many. */
async function pack(context: StepContext<'preload/store'>, data: string): Promise<void> {
  const tree = context.input('pack');
  const file = context.output('data.tar');
  const script = 'mount --bind "$1" "$3/in" && mount --bind "$2" "$3/out" && shift 2 && tree=$1 && shift && exec chroot "$tree" "$@"';
  const tar = [
    'tar', '--create', '--file=/out/data.tar', '--format=pax', '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime', '--xattrs', '--xattrs-include=*', '--numeric-owner', '--sort=name', '-C', '/in', '.',
  ];
  await context.host(['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', script, 'sh', data, dirname(file), tree, ...tar], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } });
}
