import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Executors, StepContext, YoctoSteps } from '../../model/index.ts';
import type { BuildState } from './bitbake/progress.ts';
import { runBitbake } from './bitbake/run.ts';
import { writeBuildFolder } from './build-folder.ts';
import { collect } from './collect.ts';
import { inspection } from './inspect.ts';
import { createLayerFetch } from './layers/fetch.ts';
import { bitbakeSource, coreLayer } from './layers/resolve.ts';
import { checkBitbake, checkLayers } from './layers/series.ts';
import { ownLayer } from './plan.ts';
import type { YoctoPorts } from './ports.ts';
import { preflight } from './preflight.ts';

type Context = StepContext<'yocto/image'> | StepContext<'yocto/inspect'>;

/** The executors of this provider's steps. */
export function createYoctoExecutors(ports: YoctoPorts): Pick<Executors, keyof YoctoSteps> {
  return {
    'yocto/layer': { version: 1, run: createLayerFetch(ports) },
    'yocto/image': { version: 1, run: (context) => inBuildFolder(context, ports, false, (build) => collect(context, build)) },
    'yocto/inspect': {
      version: 2,
      run: (context) =>
        inBuildFolder(context, ports, true, async (_, seen, durationMs) => writeFile(context.output('plan.json'), `${JSON.stringify(inspection(context.args, seen, durationMs), null, 1)}\n`)),
    },
  };
}

/** Writes the machine's build folder, runs bitbake in it, and hands over what came of it before another process gets the folder. */
async function inBuildFolder(context: Context, ports: YoctoPorts, planOnly: boolean, then: (build: string, seen: BuildState, durationMs: number) => Promise<void>): Promise<void> {
  const { args, signal, hostEnvironment } = context;
  const folder = join(ports.cacheFolder, 'yocto');
  await preflight({ hostEnvironment, folder, uid: ports.uid, signal });
  const roots = await layerRoots(context);
  const root = (name: string): string => roots.get(name) ?? '';
  const layers = args.layers.flatMap(({ name, folders }) => folders.map((inside) => join(root(name), inside)));
  const unlock = await ports.lock(join(folder, 'build', `${args.name}.lock`), signal);
  try {
    const build = await writeBuildFolder(context, ports, layers);
    const started = performance.now();
    const seen = await runBitbake({
      folders: { bitbake: root(bitbakeSource), core: root(coreLayer), build, home: join(build, 'home') },
      targets: args.targets,
      planOnly,
      watch: join(root(ownLayer), 'lib/minke/watch.py'),
      uid: ports.uid,
      hostEnvironment: { ...hostEnvironment, ...ports.bucketCredentials },
      signal,
      log: context.log,
      progress: context.progress,
      notice: context.notice,
    });
    if (!planOnly) context.log(`${seen.total ?? 0} tasks, ${seen.shared} of ${seen.sharedTotal} from shared state, ${seen.warnings} warnings`);
    await then(build, seen, Math.round(performance.now() - started));
  } finally {
    await unlock();
  }
}

/** Folders of this machine are checked here, where they are read; fetched layers were when they came. */
async function layerRoots(context: Context): Promise<Map<string, string>> {
  const { args, task } = context;
  const roots = new Map<string, string>();
  for (const [key, input] of Object.entries(task.inputs)) {
    if (!key.startsWith('layer:')) continue;
    const name = key.slice('layer:'.length);
    if (input.from === 'tree') roots.set(name, context.input(key));
    else if (input.from === 'sources') {
      roots.set(name, input.root);
      if (name === bitbakeSource) await checkBitbake(input.root);
      else await checkLayers(input.root, name, args.layers.find((layer) => layer.name === name)?.folders ?? [], args.release);
    }
  }
  return roots;
}
