/**
 * Whether a system call failed for want of room: of blocks, of inodes, or of the user's quota. Node's recursive mkdir says ENOENT where the
 * disk has no inode left for a folder (seen with Node.js 20 on tmpfs); it makes what is missing, so it has no other reason to.
 */
export function isDiskFull(error: unknown): boolean {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' || (code === 'ENOENT' && syscall === 'mkdir');
}
