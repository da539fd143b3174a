import { describe, expect, test } from 'vitest';
import { checkFit, planPartitions } from '../../src/image/partition-table.ts';
import { OsbuildError } from '../../src/model/index.ts';

const MiB = 1024 ** 2;

describe('partition tables', () => {
  test('GPT: five partitions in order, aligned to 4 MiB, with room for the copy of the table', () => {
    const layout = planPartitions('board', { table: 'gpt', boot: '96MiB', root: '320MiB', state: '64MiB', data: '192MiB' });
    expect(layout.partitions.map(({ name, number, startBytes, sizeBytes }) => [name, number, startBytes / MiB, sizeBytes / MiB])).toEqual([
      ['boot', 1, 4, 96],
      ['rootA', 2, 100, 320],
      ['rootB', 3, 420, 320],
      ['state', 4, 740, 64],
      ['data', 5, 804, 192],
    ]);
    expect(layout.sizeBytes / MiB).toBe(997);
    expect(layout.extended).toBeNull();
  });

  test('MBR: state and data are logical, each a whole alignment unit behind its own record', () => {
    const layout = planPartitions('board', { table: 'mbr', boot: '128MiB', root: '320MiB', state: '64MiB', data: '192MiB' });
    expect(layout.partitions.map(({ name, number, startBytes, sizeBytes }) => [name, number, startBytes / MiB, sizeBytes / MiB])).toEqual([
      ['boot', 1, 4, 128],
      ['rootA', 2, 132, 320],
      ['rootB', 3, 452, 320],
      ['state', 5, 776, 64],
      ['data', 6, 844, 192],
    ]);
    expect(layout.extended).toEqual({ startBytes: 772 * MiB, sizeBytes: 264 * MiB });
    expect(layout.partitions.map(({ uuid }) => uuid.slice(8))).toEqual(['-01', '-02', '-03', '-05', '-06']);
    expect(layout.sizeBytes / MiB).toBe(1036);
  });

  test('sizes that are not whole alignment units are rounded up', () => {
    const layout = planPartitions('board', { table: 'gpt', state: '65MiB' });
    expect(layout.partitions[3]?.sizeBytes).toBe(68 * MiB);
  });

  test('identifiers are the same for a machine every time, and differ between machines and partitions', () => {
    const ids = (name: string): string[] => planPartitions(name, { table: 'gpt' }).partitions.map(({ uuid }) => uuid);
    expect(ids('one')).toEqual(ids('one'));
    expect(new Set([...ids('one'), ...ids('two')]).size).toBe(10);
  });

  test('what does not fit is named, all of it, with the excess and the key to change', () => {
    const layout = planPartitions('board', { table: 'gpt', boot: '64MiB', root: '320MiB' });
    const needs = [
      { name: 'boot' as const, needBytes: 80 * MiB, because: 'two kernels' },
      { name: 'rootA' as const, needBytes: 320 * MiB, because: 'the root' },
      { name: 'rootB' as const, needBytes: 320 * MiB + 1, because: 'the root' },
    ];
    const error = caught(() => checkFit(layout, needs, 'machines/board.yaml'));
    expect(error.code).toBe('OSB_IMAGE_TOO_LARGE');
    expect(error.message).toContain('boot holds 64.0 MiB but needs 80.0 MiB, 16.0 MiB too much (two kernels)');
    expect(error.message).toContain('rootB holds 320.0 MiB');
    expect(error.message).not.toContain('rootA');
    expect(error.hint).toContain('disk.boot: 80MiB and disk.root: 336MiB in machines/board.yaml');
    expect(error.details['partitions']).toEqual([
      { partition: 'boot', sizeBytes: 64 * MiB, needBytes: 80 * MiB, overBytes: 16 * MiB, because: 'two kernels' },
      { partition: 'rootB', sizeBytes: 320 * MiB, needBytes: 320 * MiB + 1, overBytes: 1, because: 'the root' },
    ]);
  });

  test('what fits exactly is accepted', () => {
    const layout = planPartitions('board', { table: 'gpt', root: '320MiB' });
    expect(() => checkFit(layout, [{ name: 'rootA', needBytes: 320 * MiB, because: '' }], 'f')).not.toThrow();
  });
});

function caught(run: () => void): OsbuildError {
  try {
    run();
  } catch (error) {
    if (error instanceof OsbuildError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
