import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { OsbuildError, type EngineSteps, type Executors, type StepContext } from '../model/index.ts';
import { bundleEngine } from './bundle.ts';
import { planEngineBuild } from './plan.ts';

const entry = 'src/engine/main.ts';

export const engineExecutors: Pick<Executors, keyof EngineSteps> = {
  'engine/bundle': {
    version: 1,
    async run(context) {
      const home = context.task.inputs['sources'];
      if (home?.from !== 'sources') throw new Error('the engine is bundled from sources');
      const bundle = await bundleEngine(home.root, entry).catch((error: Error) => {
        throw new OsbuildError('OSB_TASK_FAILED', `the engine does not compile: ${error.message}`, { cause: error });
      });
      const known = context.inputs('sources');
      const foreign = bundle.inputs.filter((path) => !known.has(path));
      if (foreign.length > 0) throw new Error(`the bundle took in files that its key does not cover: ${foreign.join(', ')}`);
      await writeFile(context.output('bundle.js'), bundle.code);
      await writeFile(context.output('bundle.js.map'), bundle.map);
    },
  },
  'engine/compile': {
    version: 1,
    async run(context) {
      const step = planEngineBuild(context.args.arch);
      // A copy of just the files that the key covers: nothing else of the folder can reach the compiler.
      const host = await copySources(context.inputs('host'), join(context.scratch, 'host'));
      await context.tool({ argv: [...step.argv, 'BUILD=/tmp/build'], tree: 'toolchain', mounts: { '/in/host': { path: host } } });
    },
  },
  'engine/verity-map': { version: 1, run: (context) => makeInitrdProgram(context, 'verity-map') },
  'engine/splash': { version: 1, run: (context) => makeInitrdProgram(context, 'splash') },
};

/** Runs the Makefile of a folder below src/, with copies of just the files that the key covers. */
async function makeInitrdProgram(context: StepContext<'engine/verity-map' | 'engine/splash'>, folder: string): Promise<void> {
  const host = await copySources(context.inputs('host'), join(context.scratch, 'host'));
  const source = await copySources(context.inputs('source'), join(context.scratch, folder));
  await context.tool({
    argv: ['make', '--silent', '-C', `/in/${folder}`, `ARCH=${context.args.arch}`, 'HOST=/in/host', 'OUT=/out'],
    tree: 'toolchain',
    mounts: { '/in/host': { path: host }, [`/in/${folder}`]: { path: source } },
  });
}

async function copySources(sources: ReadonlyMap<string, string>, folder: string): Promise<string> {
  for (const [path, source] of sources) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await copyFile(source, join(folder, path));
  }
  return folder;
}
