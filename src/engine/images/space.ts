import { EngineError } from '../error.ts';
import type { Files } from '../ports/index.ts';

/** On these, files may take less than their length. */
const COMPRESSING: ReadonlySet<string> = new Set(['btrfs', 'f2fs', 'zfs', 'bcachefs', 'ubifs']);
/** Headers take room in an archive and none as blocks of a file, so of an archive so much is expected on the disk at least. */
const SHARE_OF_ARCHIVE = 7 / 8;

/**
 * Throws EngineError 'DISK_FULL' when something cannot fit below the data root, whatever happens. `archiveBytes` is the least that the uncompressed archives have,
 * `what` names them: 'the image has 17 MB compressed'.
 */
export function checkSpace(files: Files, dataRoot: string, archiveBytes: number, what: string): void {
  const { availableBytes } = files.space(dataRoot);
  if (archiveBytes * SHARE_OF_ARCHIVE <= availableBytes || COMPRESSING.has(fileSystemOf(files, dataRoot))) return;
  throw new EngineError('internal', 'DISK_FULL', `no space left on device: ${what}, and ${dataRoot} has ${Math.floor(availableBytes / 1e6)} MB free`, {
    hint: 'remove images or containers that are not needed (docker system prune)',
  });
}

/** Type of the file system that a path lies on; '' when the kernel does not say. */
function fileSystemOf(files: Files, path: string): string {
  let mounts: string;
  try {
    mounts = files.readText('/proc/self/mountinfo');
  } catch {
    return '';
  }
  let type = '';
  let longest = -1;
  for (const line of mounts.split('\n')) {
    const [mount = '', source = ''] = line.split(' - ');
    const point = (mount.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
    const below = point === '/' || path === point || path.startsWith(`${point}/`);
    // Of two at the same place the later one covers the other.
    if (point === '' || !below || point.length < longest) continue;
    longest = point.length;
    type = source.split(' ')[0] ?? '';
  }
  return type;
}
