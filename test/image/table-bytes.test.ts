import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeGpt } from '../../src/image/gpt.ts';
import { encodeMbr } from '../../src/image/mbr.ts';
import { planPartitions, type DiskLayout } from '../../src/image/partition-table.ts';

const installed = (program: string, ...args: string[]): boolean => spawnSync(program, args).error === undefined;
const hasSfdisk = installed('sfdisk', '--version');
const hasSgdisk = installed('sgdisk', '--version');

describe('partition tables as others read them', () => {
  let folder = '';
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'osbuild-table-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const write = (layout: DiskLayout): string => {
    const file = join(folder, `${layout.table}.img`);
    const fd = openSync(file, 'w');
    ftruncateSync(fd, layout.sizeBytes);
    for (const { offset, bytes } of layout.table === 'gpt' ? encodeGpt(layout) : encodeMbr(layout)) writeSync(fd, bytes, 0, bytes.length, offset);
    closeSync(fd);
    return file;
  };
  const read = (file: string): { label: string; id: string; partitions: Array<{ start: number; size: number; type: string; uuid?: string; name?: string; bootable?: boolean }> } =>
    JSON.parse(spawnSync('sfdisk', ['--json', file], { encoding: 'utf8' }).stdout).partitiontable;
  const quietly = (file: string): string => {
    const { stdout, stderr } = spawnSync('sfdisk', ['--verify', file], { encoding: 'utf8' });
    return `${stdout}${stderr}`;
  };

  test('sfdisk reads the GPT as planned and finds no fault', (context) => {
    if (!hasSfdisk) context.skip('sfdisk is not installed');
    const layout = planPartitions('board', { table: 'gpt' });
    const file = write(layout);
    const found = read(file);
    expect(found.label).toBe('gpt');
    expect(found.id).toBe(layout.diskId);
    expect(found.partitions.map(({ name, start, size, uuid }) => ({ name, start: start * 512, size: size * 512, uuid: uuid?.toLowerCase() }))).toEqual(
      layout.partitions.map(({ name, startBytes, sizeBytes, uuid }) => ({ name, start: startBytes, size: sizeBytes, uuid })),
    );
    expect(found.partitions.map(({ type }) => type.slice(0, 8))).toEqual(['C12A7328', '0FC63DAF', '0FC63DAF', '0FC63DAF', '0FC63DAF']);
    expect(quietly(file)).toContain('No errors detected');
  });

  test('sgdisk verifies both copies of the GPT', (context) => {
    if (!hasSgdisk) context.skip('sgdisk is not installed');
    const file = write(planPartitions('board', { table: 'gpt' }));
    const { stdout } = spawnSync('sgdisk', ['-v', file], { encoding: 'utf8' });
    expect(stdout).toContain('No problems found');
  });

  test('the copy at the end serves when the primary is destroyed', (context) => {
    if (!hasSfdisk) context.skip('sfdisk is not installed');
    const layout = planPartitions('board', { table: 'gpt' });
    const file = write(layout);
    const fd = openSync(file, 'r+');
    writeSync(fd, Buffer.alloc(33 * 512, 0xff), 0, 33 * 512, 512);
    closeSync(fd);
    expect(read(file).partitions).toHaveLength(5);
  });

  test('sfdisk reads the MBR with its logical partitions and finds no fault', (context) => {
    if (!hasSfdisk) context.skip('sfdisk is not installed');
    const layout = planPartitions('board', { table: 'mbr' });
    const file = write(layout);
    const found = read(file);
    expect(found.label).toBe('dos');
    expect(found.id).toBe(`0x${layout.diskId}`);
    expect(found.partitions.map(({ start, size, type, bootable }) => [start * 512, size * 512, type, bootable === true])).toEqual([
      ...layout.partitions.slice(0, 3).map(({ name, startBytes, sizeBytes }) => [startBytes, sizeBytes, name === 'boot' ? 'c' : '83', name === 'boot']),
      [layout.extended?.startBytes, layout.extended?.sizeBytes, 'f', false],
      ...layout.partitions.slice(3).map(({ startBytes, sizeBytes }) => [startBytes, sizeBytes, '83', false]),
    ]);
    expect(quietly(file)).toContain('No errors detected');
  });
});
