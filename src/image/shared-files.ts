import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine } from '../model/index.ts';

/** Where the files that both slots share stand in an update's second layer. */
export const sharedFilesFolder = 'shared/';

/** On the boot partition: SHA-256 of each shared file as it was put there, by which a device knows those that its owner has changed. */
export const sharedListPath = 'minke/shared.json';

/**
 * Files of the boot partition that an update may replace: each is complete in itself and works with whatever else is there, old or new, so that it can be put in place by one
 * rename (docs/updates.md says why the others cannot).
 */
export function sharedFiles(boot: Machine['boot']): string[] {
  if (boot.method === 'systemd-boot') return [`EFI/BOOT/${boot.efiName}`];
  // Loaded by the Raspberry Pi's firmware as it loads any kernel. Elsewhere it is one half of a pair with a first stage, or with a device tree.
  const alone = boot.firmware !== undefined && boot.target !== undefined && boot.uImage === undefined;
  return ['boot.scr', ...(alone && boot.target !== undefined ? [boot.target] : [])];
}

/** Writes the list of a new image's shared files into the boot partition's folder. */
export async function writeSharedList(folder: string, paths: readonly string[]): Promise<void> {
  const digests: Record<string, string> = {};
  for (const path of paths.toSorted()) digests[path] = createHash('sha256').update(await readFile(join(folder, path))).digest('hex');
  await writeFile(join(folder, sharedListPath), `${JSON.stringify(digests)}\n`);
}
