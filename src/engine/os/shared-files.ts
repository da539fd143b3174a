import { EngineError, messageOf } from '../error.ts';
import type { Device } from './device.ts';
import { digestOf } from './digest.ts';
import { readJson } from './read-json.ts';
import { readRecord } from './record.ts';
import type { Say } from './say.ts';

/** Where a release's second layer has the files that both slots share. The writer: src/image/shared-files.ts. */
export const SHARED_PREFIX = 'shared/';

/** On the boot partition: SHA-256 of each file as a release put it there. */
const KNOWN = 'minke/shared.json';

/** On the data partition: the files of a release that is written, until it has been kept. */
interface Staged {
  version: string;
  /** SHA-256 by path on the boot partition. */
  files: Record<string, string>;
}

const LIST = 'list.json';

/** The slots' own, the loader's choice, and what owners write; FAT knows no capitals. */
const FORBIDDEN = /^(?:[ab]|minke|loader|system-connections|dispatcher\.d)\/|^(?:config\.json|config\.txt|extra_uenv\.txt)$/;

/** The path on the boot partition of an entry of a release. Throws EngineError 'OS_RELEASE_INVALID' for one that no release may replace. */
export function sharedPath(entry: string): string {
  const path = entry.slice(SHARED_PREFIX.length);
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..') || FORBIDDEN.test(path.toLowerCase())) throw new EngineError('invalid', 'OS_RELEASE_INVALID', `${path} of the boot partition is no release's to replace`);
  return path;
}

export const stagedFile = ({ places }: Pick<Device, 'places'>, path: string): string => `${places.shared}/files/${path}`;

/** Nothing is staged any more. */
export const dropStaged = ({ system: { files }, places }: Pick<Device, 'system' | 'places'>): Promise<void> => files.removeTree(places.shared);

/** The staged files are whole: from now on they count. */
export async function noteStaged({ system: { files }, places }: Pick<Device, 'system' | 'places'>, staged: Staged): Promise<void> {
  if (Object.keys(staged.files).length === 0) return;
  await files.syncFileSystem(places.shared);
  await files.replaceFile(`${places.shared}/${LIST}`, `${JSON.stringify(staged)}\n`);
}

/**
 * Puts the shared files of the release that runs and has been kept in their place on the boot partition, each by one rename. A file that is not as a release put it there
 * is its owner's, and stays. May be cut off anywhere, and is done again at the next start; it never fails.
 */
export async function putShared(device: Device, say: Say): Promise<void> {
  const { system: { files }, places, boot, running, version } = device;
  const staged = readJson<Staged>(files, `${places.shared}/${LIST}`);
  const record = readRecord(device);
  if (staged?.files === undefined || staged.version !== version || record?.phase !== 'kept' || record.to !== running) return;
  const wanted = staged.files;
  try {
    const known = readJson<Record<string, string>>(files, `${boot.path}/${KNOWN}`) as Record<string, string> | undefined;
    // An image from before there was a list: nobody knows whose the files are.
    if (known !== undefined) {
      await boot.writing(async () => {
        const before = JSON.stringify(known);
        for (const [path, digest] of Object.entries(wanted)) {
          try {
            await putOne(device, path, digest, known[path]);
            known[path] = digest;
          } catch (error) {
            await say(`${path} of the boot partition stays as it is: ${messageOf(error)}`);
          }
        }
        if (JSON.stringify(known) !== before) await boot.put(KNOWN, `${JSON.stringify(known)}\n`);
      });
    }
    await dropStaged(device);
  } catch (error) {
    await say(`files of the boot partition stay as they are: ${messageOf(error)}`);
  }
}

/** `known`: what a release put there before. */
async function putOne(device: Device, path: string, digest: string, known: string | undefined): Promise<void> {
  const { system: { files }, boot } = device;
  const target = `${boot.path}/${path}`;
  const present = files.exists(target) ? digestOf(files, target) : undefined;
  if (present === digest) return;
  if (present !== known) throw new EngineError('conflict', 'OS_NOT_OURS', 'no release put it there like that');
  await boot.copy(path, stagedFile(device, path), digest);
}
