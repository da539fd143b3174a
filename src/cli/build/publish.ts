import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { writeFileAtomic, type BlobInfo, type BlobStore } from '../../cache/index.ts';
import type { Emit } from '../../model/index.ts';

export interface Artifact {
  fileName: string;
  blob: BlobInfo;
  executable?: boolean;
}

interface Published {
  sha256: string;
  sizeBytes: number;
  modifiedMs: number;
}

const recordName = '.artifacts.json';

/**
 * Puts artifacts into the out folder. A file that stands there since the last build and was not touched is left alone,
 * which is what makes a build with nothing to do quick; a touched one is written again. False means that the store had
 * a damaged artifact, which is gone now: its task has to run again.
 */
export async function publish(folder: string, machine: string, artifacts: Artifact[], blobs: BlobStore, emit: Emit): Promise<boolean> {
  const record = join(folder, recordName);
  const before = await readRecord(record);
  const now: Record<string, Published> = {};
  let changed = Object.keys(before).length !== artifacts.length;
  for (const { fileName, blob, executable } of artifacts) {
    const path = join(folder, fileName);
    const known = before[fileName];
    const there = await stat(path).catch(() => null);
    if (known?.sha256 === blob.sha256 && there?.size === blob.sizeBytes && there.mtimeMs === known.modifiedMs) now[fileName] = known;
    else {
      if (!(await blobs.verify(blob.sha256))) return false;
      await blobs.export(blob.sha256, path, executable ? 0o755 : 0o644);
      now[fileName] = { sha256: blob.sha256, sizeBytes: blob.sizeBytes, modifiedMs: (await stat(path)).mtimeMs };
      changed = true;
    }
    emit({ type: 'artifact', machine, path, sizeBytes: blob.sizeBytes, sha256: blob.sha256 });
  }
  if (changed) await writeFileAtomic(record, `${JSON.stringify(now, null, 2)}\n`);
  return true;
}

async function readRecord(path: string): Promise<Record<string, Published>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, Published>;
  } catch {
    return {};
  }
}
