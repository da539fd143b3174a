import type { KeeperFiles } from './places.ts';

/** Watches folders that come and go; `changed` is called after each change. Call `look` now and then: new folders are found there. */
export function createFolderWatch(files: Pick<KeeperFiles, 'watch' | 'stat'>, folders: readonly string[], changed: () => void): { look(): void } {
  const watched = new Map<string, bigint>();
  const inodeOf = (folder: string): bigint | undefined => {
    try {
      return files.stat(folder).inode;
    } catch {
      return undefined;
    }
  };
  const follow = async (folder: string, inode: bigint): Promise<void> => {
    const watch = files.watch(folder);
    try {
      while (inodeOf(folder) === inode) {
        await watch.next();
        changed();
      }
    } finally {
      watch.close();
      if (watched.get(folder) === inode) watched.delete(folder);
      changed();
    }
  };
  return {
    look() {
      for (const folder of folders) {
        const inode = inodeOf(folder);
        if (inode === undefined || watched.get(folder) === inode) continue;
        watched.set(folder, inode);
        // A folder that cannot be watched is looked at now and then all the same.
        follow(folder, inode).catch(() => undefined);
      }
    },
  };
}
