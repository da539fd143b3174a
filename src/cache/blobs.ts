import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { diskError, isMissing, temporaryName } from './file.ts';
import { sha256File } from './hashing.ts';
import type { CacheLayout } from './layout.ts';

export interface BlobInfo {
  sha256: string;
  sizeBytes: number;
}

/** Files named by their SHA-256. A blob is there whole or not at all; content is checked again before it is used. */
export class BlobStore {
  private readonly layout: CacheLayout;
  private readonly verified = new Map<string, string>();

  constructor(layout: CacheLayout) {
    this.layout = layout;
  }

  path(sha256: string): string {
    return this.layout.blob(sha256);
  }

  /** Size of a blob, or null when the store does not have it. Does not read the content. */
  async size(sha256: string): Promise<number | null> {
    try {
      return (await stat(this.path(sha256))).size;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** Moves a finished file into the store. The file must be on the cache's own filesystem. */
  async take(file: string, known?: string): Promise<BlobInfo> {
    const sha256 = known ?? (await sha256File(file));
    const { size } = await stat(file);
    const target = this.path(sha256);
    try {
      await mkdir(dirname(target), { recursive: true });
      await chmod(file, 0o444);
      await rename(file, target);
    } catch (error) {
      throw diskError(error, target);
    }
    this.verified.set(sha256, await this.stamp(sha256));
    return { sha256, sizeBytes: size };
  }

  /**
   * Whether the content still has the hash it is named by. A blob that does not is removed, so that whoever needs it
   * makes it again. Once a process is enough: the stamp (inode, size, time of change) shows later writes.
   */
  async verify(sha256: string): Promise<boolean> {
    let stamp: string;
    try {
      stamp = await this.stamp(sha256);
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
    if (this.verified.get(sha256) === stamp) return true;
    if ((await sha256File(this.path(sha256))) !== sha256) {
      await rm(this.path(sha256), { force: true });
      return false;
    }
    this.verified.set(sha256, stamp);
    return true;
  }

  /** Copies a blob to a place outside the cache, atomically; shares the bytes where the filesystem can. */
  async export(sha256: string, target: string, mode = 0o644): Promise<void> {
    const temporary = temporaryName(target);
    try {
      await mkdir(dirname(target), { recursive: true });
      await copyFile(this.path(sha256), temporary, constants.COPYFILE_FICLONE);
      await chmod(temporary, mode);
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw diskError(error, target);
    }
  }

  private async stamp(sha256: string): Promise<string> {
    const info = await stat(this.path(sha256), { bigint: true });
    return `${info.ino} ${info.size} ${info.mtimeNs} ${info.ctimeNs}`;
  }
}
