import { createHash } from 'node:crypto';
import { copyFileSync } from 'node:fs';
import type { AnyTask, Executor, LockedPackage } from '../../src/model/index.ts';
import { buildPackage, type TestPackage } from './debian-archive.ts';

/** Packages made on the spot, with a task that hands them out as a fetch would. */
export interface LocalDebs {
  packages: LockedPackage[];
  task: AnyTask;
  fetch: { version: number; run: Executor<'debian/fetch'> };
}

export function localDebs(folder: string, packages: TestPackage[]): LocalDebs {
  const files = new Map<string, string>();
  const locked = packages.map((item): LockedPackage => {
    const { file, content } = buildPackage(folder, item);
    const sha256 = createHash('sha256').update(content).digest('hex');
    files.set(sha256, file);
    return { name: item.name, version: item.version ?? '1.0', architecture: 'all', archive: 'main', filename: `pool/${item.name}.deb`, sizeBytes: content.length, sha256 };
  });
  return {
    packages: locked,
    task: { id: 'debs', kind: 'debian/fetch', title: 'debs', args: { packages: locked }, inputs: {}, result: 'files' },
    fetch: {
      version: 1,
      run: (context) => {
        for (const [sha256, file] of files) copyFileSync(file, context.output(`${sha256}.deb`));
        return Promise.resolve();
      },
    },
  };
}
