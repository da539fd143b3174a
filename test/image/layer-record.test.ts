import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { readTarRecord } from '../../src/engine/images/tar-record.ts';
import { writeLayerRecord } from '../../src/image/layer-record.ts';
import { tarEntry, tarFile, tarFolder, tarOf, tarSymlink } from '../engine/support/tar-writer.ts';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'osbuild-record-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const long = `usr/${'name/'.repeat(40)}file`;
const content: Record<string, Buffer> = { 'etc/os-release': Buffer.from('VERSION_ID=1\n'), 'usr/empty': Buffer.alloc(0), 'usr/block': Buffer.alloc(512, 'b'), 'usr/large': Buffer.alloc(200_001, 'large '), [long]: Buffer.from('deep') };
const archives: [string, Buffer][] = [
  ['with files, folders and links of all kinds', tarOf([
    tarFolder('etc'), ...Object.entries(content).map(([path, bytes]) => (path === long ? tarFile('short', bytes, { pax: { path } }) : tarFile(path, bytes, { uid: 7, mode: 0o640, mtime: 1_700_000_000 }))),
    tarSymlink('lib', 'usr/lib'), tarEntry({ path: 'usr/hard', flag: '1', link: 'usr/block' }), tarEntry({ path: 'dev/null', flag: '3', major: 1, minor: 3 }),
  ])],
  ['without a file', tarOf([tarFolder('etc')])],
  ['with more between two files than a piece of the record', tarOf([tarFile('etc/os-release', content['etc/os-release'] ?? ''), ...Array.from({ length: 300 }, (_, index) => tarFolder(`many/${index}`)), tarFile('usr/block', content['usr/block'] ?? '')])],
  ['with zeros behind its end', Buffer.concat([tarOf([tarFile('usr/block', content['usr/block'] ?? '')]), Buffer.alloc(9 * 1024)])],
];

test.each(archives)('an archive %s is made again of its record and its files, as devices do it', async (_, archive) => {
  const [tar, record] = [join(folder, 'layer.tar'), join(folder, 'record')];
  writeFileSync(tar, archive);
  expect(await writeLayerRecord(tar, record)).toBe(archive.length);
  const bytes = readFileSync(record);
  // In pieces that fit nothing.
  let at = 0;
  const pull = (): Uint8Array | null => (at < bytes.length ? bytes.subarray(at, (at += 777)) : null);
  const made: Uint8Array[] = [];
  const opened: string[] = [];
  for (const segment of readTarRecord(pull)) {
    if (segment.kind === 'bytes') {
      made.push(segment.bytes.slice());
      continue;
    }
    const { path, ranges } = segment.content;
    opened.push(path);
    expect(ranges).toEqual([{ offset: 0, sizeBytes: content[path]?.length }]);
    made.push(content[path] ?? Buffer.alloc(0));
  }
  expect(Buffer.concat(made).equals(archive)).toBe(true);
  expect(opened.every((path) => path in content)).toBe(true);
  // No file's content is in it.
  expect(bytes.includes('large large')).toBe(false);
});

test('an archive that is cut off makes no record', async () => {
  const [tar] = [join(folder, 'cut.tar')];
  writeFileSync(tar, (archives[0]?.[1] ?? Buffer.alloc(0)).subarray(0, 1000));
  await expect(writeLayerRecord(tar, join(folder, 'record'))).rejects.toThrow(/cut off/);
});
