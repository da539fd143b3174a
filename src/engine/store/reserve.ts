import { systemErrorCode } from '../error.ts';
import type { Files } from '../ports/index.ts';

const RESERVE_BYTES = 1024 * 1024;
/** Of a disk that is nearly full only what the reserve was before is taken back. */
const AMPLE_BYTES = 16 * RESERVE_BYTES;
/** Less is not worth a file. */
const LEAST_BYTES = 64 * 1024;

/**
 * Files whose documents can be written, folders made and overlays mounted on a full disk too, so that a daemon and its containers still start there, and images and
 * containers can be removed: a file of ours gives way to them, takes back at once what they leave, and grows to its size when there is room again. `folder` lies on the
 * file system that it is for; what stands below `unfinished` finds no room so: a pull is not to take what a start needs.
 */
export function withReserve(files: Files, folder: string, unfinished: string): Files {
  const path = `${folder}/reserve`;
  let heldBytes = files.exists(path) ? files.stat(path).sizeBytes : 0;
  /** When it last gave way. */
  let gaveBytes = 0;
  const drop = (): void => {
    files.unlink(path);
    heldBytes = 0;
  };
  /** Whether it takes no more trying: it is there, or the file system has none for anybody. */
  const hold = (sizeBytes: number): boolean => {
    try {
      const fd = files.open(path, 'create', 0o600);
      try {
        files.allocate(fd, sizeBytes);
        heldBytes = sizeBytes;
      } finally {
        files.close(fd);
      }
      return true;
    } catch (error) {
      // There may be no room for it, or the file system cannot set room aside: it is a help, and nothing needs it.
      if (!['ENOSPC', 'EDQUOT', 'EOPNOTSUPP', 'ENOSYS', 'EROFS', 'EIO'].includes(systemErrorCode(error) ?? '')) throw error;
      if (!isFull(error)) return true;
      if (files.exists(path)) drop();
      return false;
    }
  };
  const available = (): number => files.space(folder).availableBytes;
  const grow = (): void => {
    if (heldBytes < RESERVE_BYTES && available() >= AMPLE_BYTES) hold(RESERVE_BYTES);
  };
  /** Tried out, and not asked for: what a file system says is free leaves out the blocks that it keeps for root, which a reserve may come to stand on. */
  const takeBack = (): void => {
    const most = Math.min(RESERVE_BYTES, Math.max(gaveBytes, available()));
    for (let sizeBytes = most - (most % LEAST_BYTES); sizeBytes >= LEAST_BYTES; sizeBytes -= LEAST_BYTES) if (hold(sizeBytes)) return;
  };
  /** Whether there may be room now where there was none. */
  const giveWay = (error: unknown, target: string): boolean => {
    if (heldBytes === 0 || !isFull(error) || target.startsWith(`${unfinished}/`)) return false;
    gaveBytes = heldBytes;
    drop();
    return true;
  };
  const despiteFullDisk = (target: string, write: () => void): void => {
    try {
      write();
    } catch (error) {
      if (!giveWay(error, target)) throw error;
      try {
        write();
      } finally {
        takeBack();
      }
    }
  };
  grow();
  return {
    ...files,
    mkdirs: (target, permissions) => despiteFullDisk(target, () => files.mkdirs(target, permissions)),
    writeText: (target, text, permissions) => despiteFullDisk(target, () => files.writeText(target, text, permissions)),
    mount: (request) => despiteFullDisk(request.target, () => files.mount(request)),
    async replaceFile(target, text, permissions) {
      try {
        await files.replaceFile(target, text, permissions);
      } catch (error) {
        if (!giveWay(error, target)) throw error;
        try {
          return await files.replaceFile(target, text, permissions);
        } finally {
          takeBack();
        }
      }
      grow();
    },
  };
}

/** The file system, or what its user may have of it, is used up. */
export function isFull(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}
