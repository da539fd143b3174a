import { resolve } from 'node:path';

import { OsbuildError } from '../../model/index.ts';
import { diffLocks, readLock, type LockDifference } from '../../providers/debian/index.ts';
import type { Invocation } from '../command.ts';
import type { Session } from './session.ts';

/** Compares two lock files; prints packages, and the lines of maintainer scripts that left and came. */
export async function printLockDiff(invocation: Invocation, session: Session): Promise<number> {
  const [before, after] = await Promise.all(
    invocation.words.map(async (word) => {
      const file = resolve(invocation.cwd, word);
      const lock = await readLock(file);
      if (lock === null) throw new OsbuildError('OSB_USAGE', `there is no lock file ${file}`, { hint: 'osbuild lock --diff <before> <after>' });
      return lock;
    }),
  );
  if (before === undefined || after === undefined) throw new OsbuildError('OSB_USAGE', 'two lock files are compared', { hint: 'osbuild lock --diff <before> <after>' });
  const blob = async (sha256: string): Promise<string | null> => ((await session.blobs.size(sha256)) === null ? null : session.blobs.path(sha256));
  const difference = await diffLocks(before, after, { ...session.world.ports, blob });
  if (invocation.flags.on('json')) invocation.out(`${JSON.stringify({ type: 'lock-diff', ...difference })}\n`);
  else invocation.out(diffText(difference));
  return 0;
}

function diffText({ packages, scripts, unread }: LockDifference): string {
  const lines = packages.map(({ name, architecture, before, after }) => `${name} ${architecture}: ${before ?? 'none'} → ${after ?? 'none'}`);
  for (const { package: name, script, removed, added } of scripts) {
    lines.push('', `${name} ${script}: does the finish step still stand in for it?`, ...removed.map((line) => `- ${line}`), ...added.map((line) => `+ ${line}`));
  }
  if (unread.length > 0) lines.push('', `not to be had any more, so not compared: ${unread.join(', ')}`);
  return lines.length === 0 ? 'no difference\n' : `${lines.join('\n')}\n`;
}
