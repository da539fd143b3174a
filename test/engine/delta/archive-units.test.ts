import { describe, expect, it } from 'vitest';
import { units, type Unit } from '../../../src/engine/delta/archive-units.ts';
import type { RecordSegment } from '../../../src/engine/images/tar-record.ts';

const file = (sizeBytes: number, ranges = [{ offset: 0, sizeBytes }]): RecordSegment => ({ kind: 'file', content: { path: 'some/file', ranges } });
const bytes = (count: number, value = 0): RecordSegment => ({ kind: 'bytes', bytes: new Uint8Array(count).fill(value) });
const shown = (segments: RecordSegment[]): string[] =>
  [...units(segments)].map((unit: Unit) => (unit.kind === 'file' ? `file ${unit.file.sizeBytes}${unit.file.plain ? '' : ' sparse'} #${unit.place}` : `${unit.kind} ${unit.kind === 'padding' ? unit.sizeBytes : unit.bytes.length}`));

describe('units of an archive', () => {
  it('are blocks, contents and their padding', () => {
    expect(shown([bytes(512, 1), file(700), bytes(324 + 1024)])).toEqual(['block 512', 'file 700 #0', 'padding 324', 'block 512', 'block 512']);
  });

  it('are the same however the record is cut', () => {
    const whole = [...units([bytes(1024, 1), file(700), bytes(324 + 512)])];
    const cut = [...units([...Array.from({ length: 256 }, () => bytes(4, 1)), file(700), bytes(100), bytes(224), bytes(1), bytes(511)])];
    expect(cut).toEqual(whole);
  });

  it('keep what does not fit: other padding, an odd end, a file cut short', () => {
    expect(shown([file(10), bytes(502, 7), bytes(30, 1)])).toEqual(['file 10 #0', 'blocks 502', 'blocks 30']);
    expect(shown([file(10), bytes(5), file(3), bytes(494)])).toEqual(['file 10 #0', 'blocks 5', 'file 3 #1', 'padding 494']);
  });

  it('need no padding behind files that fill their blocks, and count files with holes', () => {
    expect(shown([file(512), bytes(512, 1), file(0, [{ offset: 4096, sizeBytes: 512 }]), file(0)])).toEqual(['file 512 #0', 'block 512', 'file 512 sparse #1', 'file 0 #2']);
  });
});
