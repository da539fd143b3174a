import { join } from 'node:path';

/** OSBUILD_CACHE_DIR, else the user's cache folder by the XDG base directory specification; a variable that is empty counts as unset there, and a relative XDG_CACHE_HOME as well. */
export function defaultCacheFolder(environment: NodeJS.ProcessEnv, home: string): string {
  const { OSBUILD_CACHE_DIR: own, XDG_CACHE_HOME: base } = environment;
  if (own) return own;
  return join(base?.startsWith('/') ? base : join(home, '.cache'), 'osbuild');
}

/**
 * Where things stand in the cache folder:
 *
 *   cas/<aa>/<sha256>          blobs, read-only, named by their content
 *   ac/<aa>/<key>.json         results: which blobs a task with this key made
 *   trees/<key>/               folders that tree tasks made
 *   partial/<sha256>           unfinished downloads
 *   work/<pid>-<n>/            scratch of running tasks
 *   logs/<task>.log            the last log of each task
 *   last/<task>.json           the last key of each task and the one before, for `osbuild why`
 *   apt/                       private apt roots of the Debian provider
 */
export class CacheLayout {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  blob(sha256: string): string {
    return join(this.root, 'cas', sha256.slice(0, 2), sha256);
  }

  result(key: string): string {
    return join(this.root, 'ac', key.slice(0, 2), `${key}.json`);
  }

  tree(key: string): string {
    return join(this.root, 'trees', key);
  }

  partial(sha256: string): string {
    return join(this.root, 'partial', sha256);
  }

  work(): string {
    return join(this.root, 'work');
  }

  aptRoots(): string {
    return join(this.root, 'apt');
  }

  log(project: string, task: string): string {
    return join(this.root, 'logs', project, `${fileName(task)}.log`);
  }

  last(project: string, task: string): string {
    return join(this.root, 'last', project, `${fileName(task)}.json`);
  }
}

function fileName(task: string): string {
  return task.replaceAll('/', '.').replaceAll(/[^A-Za-z0-9._+-]/g, '_');
}
