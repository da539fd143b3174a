import { closeSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { StepContext } from '../model/index.ts';

/** An extended attribute of a file in an archive. */
export interface Attribute {
  /** Without `./` in front. */
  path: string;
  name: string;
  value: Buffer;
}

const blockBytes = 512;
const prefix = 'SCHILY.xattr.';
/** The one that mke2fs takes from archives. */
const known = 'security.capability';

/** Extended attributes of an archive's members as GNU tar writes them, in their order, but for those that mke2fs keeps. */
export function archivedAttributes(file: string): Attribute[] {
  const found: Attribute[] = [];
  const fd = openSync(file, 'r');
  try {
    const part = (offset: number, sizeBytes: number): Buffer => {
      const bytes = Buffer.alloc(sizeBytes);
      if (readSync(fd, bytes, 0, sizeBytes, offset) < sizeBytes) throw new Error(`tar: cut off at byte ${offset}`);
      return bytes;
    };
    let pax = new Map<string, Buffer>();
    for (let position = 0; ; ) {
      const header = part(position, blockBytes);
      if (header.every((byte) => byte === 0)) return found;
      const text = (at: number, length: number): string => header.toString('utf8', at, at + length).replace(/\0.*$/s, '');
      const type = header.toString('latin1', 156, 157);
      const sizeBytes = Number(pax.get('size')?.toString() ?? Number.parseInt(text(124, 12).trim() || '0', 8));
      const offset = position + blockBytes;
      position = offset + Math.ceil(sizeBytes / blockBytes) * blockBytes;
      if (type === 'x') {
        pax = paxRecords(part(offset, sizeBytes));
        continue;
      }
      const path = pax.get('path')?.toString() ?? (text(345, 155) === '' ? text(0, 100) : `${text(345, 155)}/${text(0, 100)}`);
      for (const [key, value] of pax) if (key.startsWith(prefix) && key !== prefix + known) found.push({ path: path.replace(/^\.\//, '').replace(/\/$/, ''), name: key.slice(prefix.length), value });
      pax = new Map();
    }
  } finally {
    closeSync(fd);
  }
}

/** "<length> <key>=<value>\n", the length in bytes of all of it. */
function paxRecords(bytes: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const length = Number.parseInt(bytes.toString('latin1', at, at + 20), 10);
    const record = bytes.subarray(bytes.indexOf(' ', at) + 1, at + length - 1);
    const equals = record.indexOf('=');
    records.set(record.toString('utf8', 0, equals), record.subarray(equals + 1));
    at += length;
  }
  return records;
}

/**
 * Of archives mke2fs keeps capabilities alone, and overlay folders that hide what is below them are marked by another attribute. Puts the
 * others into an ext4 that was made of an archive.
 * @param options.archive on the host
 * @param options.image path inside `folder`, which nobody else writes to
 */
export async function setAttributes(context: StepContext<'image/disk'>, { folder, image, archive, tree }: { folder: string; image: string; archive: string; tree: string }): Promise<void> {
  const attributes = archivedAttributes(archive);
  if (attributes.length === 0) return;
  const place = join(folder, 'attributes');
  mkdirSync(place);
  const lines = attributes.map(({ path, name, value }, index) => {
    if (/["\n\\]/.test(path)) throw new Error(`${JSON.stringify(path)} has attributes, and a name that they cannot be set by`);
    writeFileSync(join(place, String(index)), value);
    return `ea_set -f /scratch/attributes/${index} "/${path}" ${name}\n`;
  });
  writeFileSync(join(place, 'commands'), lines.join(''));
  // debugfs ends well whatever becomes of its commands; it says nothing when they are done.
  const told = await context.tool({
    argv: ['sh', '-c', 'debugfs -w -f /scratch/attributes/commands "$1" 2>&1', 'sh', `/scratch/${image}`],
    env: { E2FSPROGS_FAKE_TIME: String(context.epoch) },
    mounts: { '/scratch': { path: folder, rw: true } },
    tree,
  });
  const complaints = told.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('debugfs'));
  if (complaints.length > 0) throw new Error(`attributes could not be set: ${complaints.join('; ')}`);
}
