import { createHash } from 'node:crypto';
import { access, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { OsbuildError, type Executor, type StepContext } from '../../../model/index.ts';
import type { YoctoPorts } from '../ports.ts';
import { checkBitbake, checkLayers } from './series.ts';

type Context = StepContext<'yocto/layer'>;

/**
 * Executor of `yocto/layer`. Repositories stay in the cache, so that another commit costs little and a fetch that was cut
 * off is gone on with by git. The tree that comes out is hashed again and compared with the commit's.
 */
export function createLayerFetch(ports: YoctoPorts): Executor<'yocto/layer'> {
  return async (context) => {
    const { name, git: url, release, folders } = context.args;
    const repository = join(ports.cacheFolder, 'yocto', 'git', `${name}-${createHash('sha256').update(url).digest('hex').slice(0, 12)}.git`);
    const unlock = await ports.lock(`${repository}.lock`, context.signal);
    try {
      await fetchCommit(context, repository);
      await checkout(context, repository);
    } finally {
      await unlock();
    }
    if (release === null) await checkBitbake(context.tree());
    else await checkLayers(context.tree(), name, folders, release);
  };
}

async function fetchCommit(context: Context, repository: string): Promise<void> {
  const { name, git: url, commit, branch } = context.args;
  if (!(await access(join(repository, 'HEAD')).then(() => true, () => false))) {
    await mkdir(repository, { recursive: true });
    await git(context, repository, ['init', '--quiet', '--bare']);
  }
  if (await has(context, repository)) return;
  // Only a pid that is gone can have left these: the repository is locked.
  await rm(join(repository, 'shallow.lock'), { force: true });
  try {
    await git(context, repository, ['fetch', '--no-tags', '--depth=1', '--progress', '--', url, commit]);
  } catch (error) {
    if (isCancelled(error)) throw error;
    // Some servers hand out branches only; then its whole history is looked through.
    context.log(`${url} does not hand out ${commit} by itself`);
    if (branch !== null) await git(context, repository, ['fetch', '--no-tags', '--progress', '--', url, `refs/heads/${branch}`]).catch((cause: unknown) => refuse(context, cause));
    if (!(await has(context, repository))) refuse(context, error);
  }
  if (!(await has(context, repository))) throw new OsbuildError('OSB_LAYER_INVALID', `${name}: ${url} sent something else than commit ${commit}`);
}

function refuse({ args: { name, git: url, commit, branch } }: Context, cause: unknown): never {
  if (isCancelled(cause)) throw cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  const missing = /not our ref|couldn't find remote ref|no such remote ref|upload-pack: not our|unadvertised object/i.test(text);
  if (missing) {
    throw new OsbuildError('OSB_LAYER_INVALID', `the layer ${name} has no commit ${commit}${branch === null ? '' : ` on branch ${branch}`} at ${url}`, {
      cause,
      hint: 'look the commit up in that repository; a branch that was rewritten may have lost it',
    });
  }
  throw new OsbuildError('OSB_DOWNLOAD_FAILED', `the layer ${name} cannot be fetched from ${url}: ${text}`, {
    cause,
    hint: `check the network and the URL; what was fetched stays. A checkout of this machine serves as well: yocto.layers.${name}.path`,
  });
}

async function checkout(context: Context, repository: string): Promise<void> {
  const { name, commit } = context.args;
  const worktree = ['-c', 'core.bare=false', '-c', 'core.autocrlf=false', `--work-tree=${context.tree()}`];
  const index = { GIT_INDEX_FILE: join(context.scratch, 'index') };
  await git(context, repository, [...worktree, 'checkout', '--quiet', '--force', commit, '--', '.'], index);
  // Not what git believes to have written: what the disk holds now.
  const again = { GIT_INDEX_FILE: join(context.scratch, 'index-again') };
  await git(context, repository, [...worktree, 'add', '--all', '--force', '.'], again);
  const tree = (await git(context, repository, ['write-tree'], again)).trim();
  const wanted = (await git(context, repository, ['rev-parse', `${commit}^{tree}`])).trim();
  if (tree !== wanted) throw new OsbuildError('OSB_HASH_MISMATCH', `the checkout of ${name} is not what commit ${commit} names: tree ${tree} instead of ${wanted}`, { hint: 'check the disk; the next run fetches anew', details: { repository } });
}

async function has(context: Context, repository: string): Promise<boolean> {
  return git(context, repository, ['cat-file', '-e', `${context.args.commit}^{commit}`]).then(
    () => true,
    (error: unknown) => {
      if (isCancelled(error)) throw error;
      return false;
    },
  );
}

const isCancelled = (error: unknown): boolean => error instanceof OsbuildError && error.code === 'OSB_CANCELLED';

/** Never asks for a password: a build has nobody to answer. */
function git(context: Context, repository: string, argv: string[], env: Record<string, string> = {}): Promise<string> {
  return context.host(['git', '-c', 'gc.auto=0', `--git-dir=${repository}`, ...argv], { env: { GIT_TERMINAL_PROMPT: '0', ...env } });
}
