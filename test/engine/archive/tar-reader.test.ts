import { describe, expect, it } from 'vitest';
import { createTarReader, TAR_END, TarError, tarHeaderBlocks, tarPadding, type TarEntry, type TarMember } from '../../../src/engine/archive/index.ts';
import { piecewise } from '../support/sources.ts';
import { tarEntry, tarFile, tarFolder, tarHardlink, tarOf, tarSymlink } from '../support/tar-writer.ts';

async function readAll(archive: Uint8Array, pieceBytes = 1000): Promise<{ entry: TarEntry; content: string }[]> {
  const reader = createTarReader(piecewise(archive, pieceBytes));
  const entries: { entry: TarEntry; content: string }[] = [];
  for (let entry = await reader.next(); entry !== null; entry = await reader.next()) {
    let content = '';
    for (let part = await reader.content.read(); part !== null; part = await reader.content.read()) content += Buffer.from(part).toString('latin1');
    entries.push({ entry, content });
  }
  await reader.drain();
  return entries;
}

describe('the tar writer', () => {
  it('writes what the reader reads', async () => {
    const plain = { mode: 0o755, uid: 1, gid: 2, sizeBytes: 0, mtimeSeconds: 1_700_000_000, mtimeNanoseconds: 0, linkPath: '', deviceMajor: 0, deviceMinor: 0, xattrs: new Map<string, Uint8Array>() };
    const members: TarMember[] = [
      { ...plain, path: 'folder/', type: 'directory' },
      { ...plain, path: `folder/${'long'.repeat(50)}`, type: 'file', sizeBytes: 5, uid: 3_000_000, mtimeNanoseconds: 7, xattrs: new Map([['user.x', Uint8Array.from([0, 10, 255])]]) },
      { ...plain, path: 'link', type: 'symlink', linkPath: 't'.repeat(150) },
      { ...plain, path: 'zero', type: 'character', deviceMajor: 1, deviceMinor: 5 },
    ];
    const blocks = members.flatMap((member) => (member.type === 'file' ? [tarHeaderBlocks(member), Buffer.from('hello'), tarPadding(5)] : [tarHeaderBlocks(member)]));
    const entries = await readAll(new Uint8Array(Buffer.concat([...blocks, TAR_END])));
    expect(entries.map(({ entry: { sparse, ...rest } }) => ({ ...rest, sparse }))).toEqual(members.map((member) => ({ ...member, sparse: undefined })));
    expect(entries[1]?.content).toBe('hello');
  });
});

describe('the tar reader', () => {
  const archive = tarOf([
    tarFolder('etc', { mode: 0o750 }),
    tarFile('etc/passwd', 'x'.repeat(1500), { uid: 3, gid: 4, mtime: 99 }),
    tarSymlink('link', 'etc/passwd'),
    tarHardlink('hard', 'etc/passwd'),
    tarEntry({ path: 'null', flag: '3', major: 1, minor: 3 }),
  ]);

  it.each([1, 7, 511, 512, 513, 100_000])('reads entries whatever the pieces (%i bytes)', async (pieceBytes) => {
    const entries = await readAll(archive, pieceBytes);
    expect(entries.map(({ entry }) => [entry.path, entry.type, entry.linkPath])).toEqual([
      ['etc/', 'directory', ''], ['etc/passwd', 'file', ''], ['link', 'symlink', 'etc/passwd'], ['hard', 'hardlink', 'etc/passwd'], ['null', 'character', ''],
    ]);
    expect(entries[1]?.content).toBe('x'.repeat(1500));
    expect(entries[1]?.entry).toMatchObject({ uid: 3, gid: 4, mtimeSeconds: 99, mode: 0o644, sizeBytes: 1500 });
    expect(entries[4]?.entry).toMatchObject({ deviceMajor: 1, deviceMinor: 3 });
  });

  it('skips content that nobody read', async () => {
    const reader = createTarReader(piecewise(archive, 100));
    const paths: string[] = [];
    for (let entry = await reader.next(); entry !== null; entry = await reader.next()) paths.push(entry.path);
    expect(paths).toHaveLength(5);
  });

  it('lets PAX records override the header, for one entry alone', async () => {
    const entries = await readAll(
      tarOf([tarFile('short', 'abc', { pax: { path: 'päth/long', uid: '70000', gid: '80000', mtime: '-1.25', 'SCHILY.xattr.user.x': Buffer.from([255, 0, 10]) } }), tarFile('next', '')]),
    );
    expect(entries[0]?.entry).toMatchObject({ path: 'päth/long', uid: 70000, gid: 80000, mtimeSeconds: -2, mtimeNanoseconds: 750_000_000 });
    expect([...(entries[0]?.entry.xattrs.get('user.x') ?? [])]).toEqual([255, 0, 10]);
    expect(entries[1]?.entry).toMatchObject({ path: 'next', uid: 0 });
    expect(entries[1]?.entry.xattrs.size).toBe(0);
  });

  it('understands GNU long names and links', async () => {
    const name = `${'d/'.repeat(80)}file`;
    const entries = await readAll(
      tarOf([
        tarEntry({ path: '././@LongLink', flag: 'L', content: Buffer.from(`${name}\0`) }),
        tarEntry({ path: '././@LongLink', flag: 'K', content: Buffer.from(`${name}2\0`) }),
        tarSymlink('cut', 'cut'),
      ]),
    );
    expect(entries[0]?.entry).toMatchObject({ path: name, linkPath: `${name}2`, type: 'symlink' });
  });

  it('understands sparse files in the three PAX forms', async () => {
    const common = { content: Buffer.from('AABB'), flag: '0' };
    const map = Buffer.from('2\n0\n2\n998\n2\n'.padEnd(512, '\0'));
    const entries = await readAll(
      tarOf([
        tarEntry({ path: 'v01', ...common, pax: { 'GNU.sparse.major': '0', 'GNU.sparse.size': '1000', 'GNU.sparse.map': '0,2,998,2' } }),
        tarEntry({ path: 'v10', flag: '0', content: Buffer.concat([map, Buffer.from('AABB')]), pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '1000', 'GNU.sparse.name': 'named' } }),
      ]),
    );
    const expected = [{ offset: 0, sizeBytes: 2 }, { offset: 998, sizeBytes: 2 }];
    expect(entries.map(({ entry, content }) => [entry.path, entry.sizeBytes, entry.sparse, content])).toEqual([['v01', 1000, expected, 'AABB'], ['named', 1000, expected, 'AABB']]);
  });

  it.each<[string, Uint8Array]>([
    ['rubbish', Buffer.alloc(1024, 'x')],
    ['a flipped bit', Buffer.concat([Buffer.from([1]), tarFile('a', 'b').subarray(1)])],
    ['an end inside a header', tarFile('a', 'b').subarray(0, 300)],
    ['an end inside content', tarFile('a', 'b'.repeat(2000)).subarray(0, 1000)],
    ['a PAX record longer than its header', tarEntry({ path: 'p', flag: 'x', content: Buffer.from('99 path=x\n') })],
    ['a PAX record without a length', tarEntry({ path: 'p', flag: 'x', content: Buffer.from('path=x\n') })],
    ['a PAX size that no file can have', tarFile('a', '', { pax: { size: '9'.repeat(17) } })],
    ['a huge PAX header', tarEntry({ path: 'p', flag: 'x', size: 2 ** 30 })],
    ['sparse ranges that overlap', tarFile('a', 'AABB', { pax: { 'GNU.sparse.major': '0', 'GNU.sparse.size': '10', 'GNU.sparse.map': '5,2,0,2' } })],
    ['sparse ranges beyond the end', tarFile('a', 'AABB', { pax: { 'GNU.sparse.major': '0', 'GNU.sparse.size': '3', 'GNU.sparse.map': '0,2,2,2' } })],
    ['sparse ranges that need more data than there is', tarFile('a', 'AA', { pax: { 'GNU.sparse.major': '0', 'GNU.sparse.size': '10', 'GNU.sparse.map': '0,2,5,2' } })],
  ])('refuses %s', async (_, data) => {
    await expect(readAll(data)).rejects.toThrow(TarError);
  });

  it('survives a thousand mutations without another kind of error', async () => {
    let seed = 12345;
    const random = (limit: number): number => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return seed % limit;
    };
    const source = tarOf([tarFile('a', 'b', { pax: { path: 'x', 'GNU.sparse.map': '0,1', 'GNU.sparse.size': '4' } }), tarSymlink('l', 't'), tarFolder('d')]);
    for (let round = 0; round < 1000; round += 1) {
      const mutant = Buffer.from(source);
      for (let change = 0; change <= random(4); change += 1) mutant[random(mutant.length)] = random(256);
      try {
        await readAll(mutant, 1 + random(2000));
      } catch (error) {
        expect(error).toBeInstanceOf(TarError);
      }
    }
  });
});
