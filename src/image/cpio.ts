/** One member of an initrd. Owners are always root. */
export type CpioEntry =
  | { path: string; type: 'folder'; mode: number }
  | { path: string; type: 'file'; mode: number; content: Buffer }
  | { path: string; type: 'symlink'; target: string }
  | { path: string; type: 'character'; mode: number; major: number; minor: number };

const kinds = { folder: 0o040000, file: 0o100000, symlink: 0o120000, character: 0o020000 };

/**
 * A cpio archive in "newc" form (kernel documentation: driver-api/early-userspace/buffer-format), the same bytes for the
 * same entries: sorted by path, so that folders precede what they hold, with consecutive inode numbers and one time.
 */
export function packCpio(entries: readonly CpioEntry[], epoch: number): Buffer {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const parts = sorted.flatMap((entry, index) => member(entry, index + 1, epoch));
  return Buffer.concat([...parts, ...record('TRAILER!!!', 0, 0, 0, Buffer.alloc(0), [0, 0])]);
}

function member(entry: CpioEntry, inode: number, epoch: number): Buffer[] {
  const content = entry.type === 'file' ? entry.content : entry.type === 'symlink' ? Buffer.from(entry.target) : Buffer.alloc(0);
  const mode = kinds[entry.type] | (entry.type === 'symlink' ? 0o777 : entry.mode);
  return record(entry.path, inode, mode, epoch, content, entry.type === 'character' ? [entry.major, entry.minor] : [0, 0]);
}

function record(path: string, inode: number, mode: number, time: number, content: Buffer, device: [number, number]): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  // magic, then: ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, 1, time, content.length, 0, 0, ...device, name.length, 0];
  const head = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [head, name, padding(head.length + name.length), content, padding(content.length)];
}

const padding = (length: number): Buffer => Buffer.alloc((4 - (length % 4)) % 4);
