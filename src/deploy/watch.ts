import { statSync } from 'node:fs';
import { join } from 'node:path';

import { FILE_NAMES } from '../engine/compose/places.ts';
import { OsbuildError } from '../model/index.ts';
import type { Deployment } from './compose.ts';
import { contextStamp, stamp } from './context.ts';

/** The compose file that a folder or a path means. Throws OSB_USAGE. */
export function findCompose(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new OsbuildError('OSB_USAGE', `there is no ${path}`, { hint: 'a compose file, or the folder that it is in' });
  if (!stat.isDirectory()) return path;
  const found = FILE_NAMES.map((name) => join(path, name)).find((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
  if (found === undefined) throw new OsbuildError('OSB_USAGE', `${path} has no compose file`, { hint: `${FILE_NAMES.join(', ')}` });
  return found;
}

/** What changes whenever a file does that a deploy is made of. Null: the compose file cannot be read; only that is looked at. */
export function deploymentStamp(file: string, deployment: Deployment | null): string {
  const parts = [stamp(file), stamp(join(file, '../.env'))];
  if (deployment === null) return parts.join('\n');
  for (const { path } of deployment.files) parts.push(`${path} ${stamp(join(deployment.folder, path))}`);
  for (const build of deployment.builds) {
    try {
      parts.push(contextStamp(build));
    } catch (error) {
      // A folder that is being replaced: the deploy says what is wrong with it.
      parts.push((error as Error).message);
    }
  }
  return parts.join('\n');
}
