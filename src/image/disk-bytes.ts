import { open, type FileHandle } from 'node:fs/promises';
import type { StepContext } from '../model/index.ts';
import { fillBootArea, type BootArea } from './boot-areas.ts';
import { packaged } from './boot-files.ts';
import { fatGeometry, fatUsedBytes } from './fat.ts';
import type { ByteRanges } from './ext4.ts';
import { openTarRoot } from './tar-root.ts';

/** A boot area with what is written to it. */
export interface FilledArea {
  area: BootArea;
  bytes: Buffer;
  usedBytes: number;
}

/**
 * Boot areas of a step that has them in its arguments, and the boot loader among its inputs.
 * @throws OSB_PACKAGE_MISSING when the boot loader's package lacks a program, OSB_IMAGE_TOO_LARGE when one does not fit
 */
export function readAreas(context: Pick<StepContext<'image/disk' | 'image/flasher'>, 'args' | 'input'>): FilledArea[] {
  const { areas, name } = context.args;
  if (areas === undefined) return [];
  const loader = openTarRoot(context.input('bootLoader'));
  try {
    const members = [...loader.entries.keys()];
    return areas.areas.map((area) => {
      const program = area.file === null ? null : loader.read(packaged(members, area.package ?? areas.package, area.file));
      return { area, bytes: fillBootArea(area, program, `machines/${name}.yaml`), usedBytes: program?.length ?? 0 };
    });
  } finally {
    loader.close();
  }
}

export async function eachChunk(source: FileHandle, range: { start: number; end: number }, use: (chunk: Buffer, position: number) => Promise<void>): Promise<void> {
  const buffer = Buffer.alloc(1 << 20);
  for (let position = range.start; position < range.end; ) {
    const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, range.end - position), position);
    if (bytesRead === 0) return;
    await use(buffer.subarray(0, bytesRead), position);
    position += bytesRead;
  }
}

/** What of a file with a FAT file system is in use. */
export async function fatUsed(file: string): Promise<ByteRanges> {
  const image = await open(file, 'r');
  try {
    const boot = Buffer.alloc(512);
    await image.read(boot, 0, boot.length, 0);
    const { fatAt, fatBytes } = fatGeometry(boot);
    const fat = Buffer.alloc(fatBytes);
    await image.read(fat, 0, fatBytes, fatAt);
    return [{ start: 0, end: fatUsedBytes(boot, fat) }];
  } finally {
    await image.close();
  }
}
