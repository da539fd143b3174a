import { systemErrorCode } from '../error.ts';
import type { Files } from '../ports/index.ts';

const RESERVE_BYTES = 1024 * 1024;
/** The reserve comes back when there is clearly more room than it takes. */
const AMPLE_BYTES = 16 * RESERVE_BYTES;

/**
 * Files whose documents can be replaced on a full disk too, so that images and containers can still be removed there: a file of ours gives way to
 * them, and comes back when there is room again. `folder` lies on the file system that it is for.
 */
export function withReserve(files: Files, folder: string): Files {
  const path = `${folder}/reserve`;
  let present = files.exists(path);
  const restore = (): void => {
    if (present) return;
    try {
      if (files.space(folder).availableBytes < AMPLE_BYTES) return;
      const fd = files.open(path, 'create', 0o600);
      try {
        files.allocate(fd, RESERVE_BYTES);
      } finally {
        files.close(fd);
      }
      present = true;
    } catch (error) {
      // There may be no room for it, or the file system cannot set room aside: it is a help, and nothing needs it.
      if (!['ENOSPC', 'EDQUOT', 'EOPNOTSUPP', 'ENOSYS', 'EROFS'].includes(systemErrorCode(error) ?? '')) throw error;
    }
  };
  restore();
  return {
    ...files,
    async replaceFile(target, text, permissions) {
      try {
        await files.replaceFile(target, text, permissions);
      } catch (error) {
        if (!present || !isFull(error)) throw error;
        files.unlink(path);
        present = false;
        return files.replaceFile(target, text, permissions);
      }
      restore();
    },
  };
}

/** The file system, or what its user may have of it, is used up. */
export function isFull(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}
