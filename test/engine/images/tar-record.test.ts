import { describe, expect, it } from 'vitest';
import { createTarReader } from '../../../src/engine/archive/index.ts';
import { createTarRecordWriter, readTarRecord, type RecordSegment } from '../../../src/engine/images/tar-record.ts';
import { piecewise } from '../support/sources.ts';
import { tarEntry, tarFile, tarFolder, tarHardlink, tarOf } from '../support/tar-writer.ts';

function record(fill: (writer: ReturnType<typeof createTarRecordWriter>) => void): Buffer {
  const parts: Buffer[] = [];
  const writer = createTarRecordWriter((bytes) => void parts.push(Buffer.from(bytes)));
  fill(writer);
  writer.end();
  return Buffer.concat(parts);
}

function read(data: Buffer, pieceBytes: number): RecordSegment[] {
  let at = 0;
  const pull = (): Uint8Array | null => {
    if (at >= data.length) return null;
    at += pieceBytes;
    return new Uint8Array(data.subarray(at - pieceBytes, at));
  };
  return [...readTarRecord(pull)];
}

describe('the record of an archive', () => {
  it.each([1, 7, 512, 100_000])('is read in pieces of %i bytes as it was written', (pieceBytes) => {
    const large = Buffer.alloc(200_000, 7);
    const data = record((writer) => {
      writer.bytes(Buffer.from('head'));
      writer.file('a/"b"\n\u{1f433}\udc80', 12, undefined);
      writer.bytes(large);
      writer.bytes(new Uint8Array(0));
      writer.file('holes', 1000, [{ offset: 0, sizeBytes: 2 }, { offset: 998, sizeBytes: 2 }]);
      writer.file('empty', 0, undefined);
    });
    const segments = read(data, pieceBytes).map((segment) => (segment.kind === 'bytes' ? Buffer.from(segment.bytes).toString('latin1') : segment.content));
    expect(segments).toEqual([
      'head',
      { path: 'a/"b"\n\u{1f433}\udc80', ranges: [{ offset: 0, sizeBytes: 12 }] },
      large.toString('latin1'),
      '',
      { path: 'holes', ranges: [{ offset: 0, sizeBytes: 2 }, { offset: 998, sizeBytes: 2 }] },
      { path: 'empty', ranges: [{ offset: 0, sizeBytes: 0 }] },
    ]);
  });

  it('is refused when it is cut short or damaged', () => {
    const data = record((writer) => writer.bytes(Buffer.from('some bytes')));
    for (const length of [0, 5, 12, data.length - 1]) expect(() => read(data.subarray(0, length), 4)).toThrow('cut short');
    expect(() => read(Buffer.from('x00000001y'), 4)).toThrow('damaged');
    expect(() => read(Buffer.from('rffffffffy'), 4)).toThrow('damaged');
  });
});

describe('what a reader skips', () => {
  it('is, with the contents that were read, all of the archive', async () => {
    const archive = Buffer.concat([
      tarOf([
        tarFolder('a'), tarFile('a/one', 'one'), tarFile('a/.wh.two', 'never read'), tarHardlink('b', 'a/one'),
        tarFile('x', 'long', { pax: { path: 'p'.repeat(300) } }),
        tarEntry({ path: 'volume', flag: 'V', content: Buffer.from('unknown kind') }),
        tarEntry({ path: 'sparse', flag: '0', content: Buffer.concat([Buffer.from('1\n3\n2\n'), Buffer.alloc(506), Buffer.from('AB')]), pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 's', 'GNU.sparse.realsize': '5' } }),
      ]),
      Buffer.from('behind the end'),
    ]);
    for (const pieceBytes of [100, 512, 100_000]) {
      const all: Uint8Array[] = [];
      const reader = createTarReader(piecewise(archive, pieceBytes), (bytes) => void all.push(bytes.slice()));
      for (let entry = await reader.next(); entry !== null; entry = await reader.next()) {
        if (entry.path.includes('.wh.')) continue;
        for (let part = await reader.content.read(); part !== null; part = await reader.content.read()) all.push(part);
      }
      await reader.drain();
      expect(Buffer.concat(all).equals(archive)).toBe(true);
    }
  });
});
