import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Executors, PackageSteps } from '../model/index.ts';
import { packScript } from './pack-script.ts';

export const packageExecutors: Pick<Executors, keyof PackageSteps> = {
  'package/engine': {
    version: 1,
    async run(context) {
      const files = join(context.scratch, 'files');
      for (const [path, source] of context.inputs('files')) {
        await mkdir(dirname(join(files, path)), { recursive: true });
        await copyFile(source, join(files, path));
      }
      const debs = Object.fromEntries([...context.inputs('debs')].map(([name, path]) => [`/in/debs/${name}`, { path }]));
      await context.tool({
        argv: ['sh', '-euc', packScript, 'sh', context.args.name],
        mounts: { '/in/files': { path: files }, '/in/minke': { path: context.input('minke') }, '/in/programs': { path: context.input('programs') }, ...debs },
      });
    },
  },
};
