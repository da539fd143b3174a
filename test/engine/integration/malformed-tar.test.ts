import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { oldStyleArchive } from '../support/docker-archive.ts';
import { callEngine, type Answer } from '../support/engine-call.ts';
import { IMAGE, type Lab } from '../support/lab.ts';
import { tarEntry, tarFile, tarFolder, tarHardlink, tarOf, tarSymlink } from '../support/tar-writer.ts';

/** What an archive can be sent to. Each answers how it went, and what came of it in the layer or folder. */
interface Door {
  name: string;
  send(lab: Lab, archive: Buffer): Promise<Answer>;
}

const doors: readonly Door[] = [
  { name: 'archive PUT', send: (lab, archive) => callEngine(lab.socket, 'PUT', '/containers/target/archive?path=/srv', archive) },
  { name: 'import', send: (lab, archive) => callEngine(lab.socket, 'POST', '/images/create?fromSrc=-&repo=imported', archive) },
  { name: 'load, as a layer', send: (lab, archive) => callEngine(lab.socket, 'POST', '/images/load', oldStyleArchive('loaded:1', [{ tar: archive }])) },
  { name: 'load', send: (lab, archive) => callEngine(lab.socket, 'POST', '/images/load', archive) },
  { name: 'build', send: (lab, archive) => callEngine(lab.socket, 'POST', '/build?t=built', Buffer.concat([tarFile('Dockerfile', `FROM ${IMAGE}\nCOPY . /context\n`), archive])) },
  { name: 'build, by ADD', send: (lab, archive) => callEngine(lab.socket, 'POST', '/build?t=built', tarOf([tarFile('Dockerfile', `FROM ${IMAGE}\nADD inner.tar /context/\n`), tarFile('inner.tar', archive)])) },
];

const MARK = '/var/tmp/minke-was-here';
const climb = `${'../'.repeat(20)}${MARK.slice(1)}`;

/** A header block with bytes of it replaced, and its checksum right. */
function patched(entry: Buffer, at: number, bytes: string | Buffer): Buffer {
  const copy = Buffer.from(entry);
  copy.set(Buffer.from(bytes), at);
  copy.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of copy.subarray(0, 512)) sum += byte;
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return copy;
}
const file = (path: string): Buffer => tarFile(path, 'content');
const gnuLong = (flag: 'L' | 'K', name: string): Buffer => tarEntry({ path: '././@LongLink', flag, content: Buffer.from(`${name}\0`) });
const base256 = (value: bigint): Buffer => {
  const field = Buffer.alloc(12);
  field[0] = 0x80;
  field.writeBigUInt64BE(value, 4);
  return field;
};

/** Outside of the folder nothing may come of these: the file that they all aim at is looked for afterwards. */
const ESCAPES: readonly [string, Buffer[]][] = [
  ['a path of dots', [file(climb)]],
  ['an absolute path', [file(MARK)]],
  ['a path of dots in a GNU long name', [gnuLong('L', climb), file('short')]],
  ['a path of dots in a PAX record', [tarEntry({ path: 'short', flag: '0', content: Buffer.from('content'), pax: { path: climb } })]],
  ['a path of dots in a prefix', [patched(file('a'), 345, '../../../../../..')]],
  ['a file through an absolute link', [tarSymlink('link', '/var/tmp'), file('link/minke-was-here')]],
  ['a file through a link of dots', [tarSymlink('link', `${'../'.repeat(20)}var/tmp`), file('link/minke-was-here')]],
  ['a file in place of a link', [tarSymlink('link', MARK), file('link')]],
  ['a folder through a link', [tarSymlink('link', '/var/tmp'), tarFolder('link/minke-was-here')]],
  ['a folder in place of a link', [tarSymlink('link', MARK), tarFolder('link'), file('link/x')]],
  ['links to links', [tarSymlink('one', 'two'), tarSymlink('two', '/var'), file('one/tmp/minke-was-here')]],
  ['a hard link through dots', [tarHardlink('hard', climb), file('hard')]],
  ['a hard link to an absolute path', [tarHardlink('hard', '/etc/passwd')]],
  ['a hard link through a link', [tarSymlink('link', '/etc'), tarHardlink('hard', 'link/passwd')]],
  ['a hard link to a link, written through', [tarSymlink('link', MARK), tarHardlink('hard', 'link'), file('hard')]],
  ['a device through a link', [tarSymlink('link', '/var/tmp'), tarEntry({ path: 'link/minke-was-here', flag: '3', major: 1, minor: 3 })]],
  ['a whiteout through a link', [tarSymlink('link', '/var/tmp'), file('link/.wh.minke-precious')]],
  ['a whiteout of dots', [file('.wh...')]],
  ['an opaque mark through a link', [tarSymlink('link', '/var/tmp'), file('link/.wh..wh..opq')]],
];

/** Refused with words, or taken: never a fault of ours, never more memory or disk than the archive is worth. */
const ODDITIES: readonly [string, Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['noise', Buffer.from(Array.from({ length: 3000 }, (_, index) => (index * 7919) % 251))],
  ['one block of zeros', Buffer.alloc(512)],
  ['gzip that is cut short', gzipSync(tarOf([file('a')])).subarray(0, 60)],
  ['gzip of noise', gzipSync(Buffer.from('x'.repeat(5000)))],
  ['a bomb: 200 MB of zeros in a file', gzipSync(tarOf([tarFile('zeros', Buffer.alloc(1024 * 1024))]).subarray(0, 1024 * 1024))],
  ['a size of 8 GB with nothing behind it', tarEntry({ path: 'big', flag: '0', size: 8 * 1024 ** 3 - 1 })],
  ['a size beyond all disks', patched(tarEntry({ path: 'big', flag: '0' }), 124, base256(2n ** 62n))],
  ['a negative size', patched(tarEntry({ path: 'big', flag: '0' }), 124, Buffer.alloc(12, 0xff))],
  ['a size that is no number', patched(tarEntry({ path: 'big', flag: '0' }), 124, 'quite large\0')],
  ['a PAX size beyond all disks', tarEntry({ path: 'big', flag: '0', pax: { size: '9'.repeat(18) } })],
  ['a PAX size that is no number', tarEntry({ path: 'big', flag: '0', pax: { size: 'many' } })],
  ['a folder with a size', tarOf([tarEntry({ path: 'folder/', flag: '5', size: 1_000_000 }), file('after')])],
  ['a link with a size', tarOf([tarEntry({ path: 'link', flag: '2', link: 'x', size: 1_000_000 }), file('after')])],
  ['a header of 2 MB', tarEntry({ path: 'x', flag: 'x', content: Buffer.alloc(2_000_000, 0x61) })],
  ['a long name of 2 MB', tarOf([gnuLong('L', 'n'.repeat(2_000_000)), file('x')])],
  ['a long name of 5,000 letters', tarOf([gnuLong('L', 'n'.repeat(5000)), file('x')])],
  ['a path of 5,000 folders', tarOf([gnuLong('L', 'a/'.repeat(5000)), file('x')])],
  ['a long name without a file', tarOf([gnuLong('L', 'name')])],
  ['an empty name', tarOf([file('')])],
  ['a name that is the root', tarOf([file('.')])],
  ['a link to nothing', tarOf([tarSymlink('link', '')])],
  ['a link of 5,000 letters', tarOf([gnuLong('K', 't'.repeat(5000)), tarSymlink('link', 'x')])],
  ['a hard link to itself', tarOf([tarHardlink('a', 'a')])],
  ['a hard link to what comes later', tarOf([tarHardlink('a', 'b'), file('b')])],
  ['a hard link to a folder', tarOf([tarFolder('d'), tarHardlink('a', 'd')])],
  ['a loop of links', tarOf([tarSymlink('a', 'b'), tarSymlink('b', 'a'), file('a/x')])],
  ['a file below a file', tarOf([file('a'), file('a/b')])],
  ['a folder below a file', tarOf([file('a'), tarFolder('a/b')])],
  ['a file in place of a full folder', tarOf([tarFolder('a'), file('a/b'), file('a')])],
  ['the same name a hundred times', tarOf(Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? tarFolder('a') : file('a'))))],
  ['PAX records that lie about their length', tarOf([tarEntry({ path: 'x', flag: 'x', content: Buffer.from('99 path=x\n') }), file('a')])],
  ['a PAX record of length nought', tarOf([tarEntry({ path: 'x', flag: 'x', content: Buffer.from('0 path=x\n') }), file('a')])],
  ['a PAX record without a key', tarOf([tarEntry({ path: 'x', flag: 'x', content: Buffer.from('5 =x\n') }), file('a')])],
  ['a PAX name with a NUL', tarOf([tarEntry({ path: 'a', flag: '0', pax: { path: 'a\0b' } })])],
  ['a PAX time beyond all calendars', tarOf([tarEntry({ path: 'a', flag: '0', pax: { mtime: '99999999999999999999.5' } })])],
  ['a PAX time before all calendars', tarOf([tarEntry({ path: 'a', flag: '0', pax: { mtime: '-99999999999999999999.5' } })])],
  ['a PAX owner beyond all', tarOf([tarEntry({ path: 'a', flag: '0', pax: { uid: '99999999999', gid: '99999999999' } })])],
  ['global PAX records', tarOf([tarEntry({ path: 'g', flag: 'g', content: Buffer.from('12 comment=\n') }), file('a')])],
  ['an extended attribute of 100 kB', tarOf([tarEntry({ path: 'a', flag: '0', pax: { 'SCHILY.xattr.user.big': Buffer.alloc(100_000, 0x61) } })])],
  ['an extended attribute without a name', tarOf([tarEntry({ path: 'a', flag: '0', pax: { 'SCHILY.xattr.': 'x' } })])],
  ['an extended attribute of a kind that is not there', tarOf([tarEntry({ path: 'a', flag: '0', pax: { 'SCHILY.xattr.nonsense.x': 'x' } })])],
  ['an attribute of overlay', tarOf([tarEntry({ path: 'a', flag: '0', pax: { 'SCHILY.xattr.trusted.overlay.redirect': '/etc' } })])],
  ['a capability that is none', tarOf([tarEntry({ path: 'a', flag: '0', pax: { 'SCHILY.xattr.security.capability': 'x' } })])],
  ['an access list that is none', tarOf([tarEntry({ path: 'a', flag: '0', pax: { 'SCHILY.xattr.system.posix_acl_access': 'x' } })])],
  ['a sparse file of 8 EB', tarOf([tarEntry({ path: 'a', flag: '0', content: Buffer.from('1\n0\n1\n'.padEnd(512, '\0') + 'x'), pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9000000000000000' } })])],
  ['a sparse map of a million ranges', tarOf([tarEntry({ path: 'a', flag: '0', content: Buffer.from('1000000\n'.padEnd(512, '1\n')), pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' } })])],
  ['a sparse map that goes backwards', tarOf([tarEntry({ path: 'a', flag: '0', content: Buffer.from('xy'), pax: { 'GNU.sparse.map': '5,1,0,1', 'GNU.sparse.size': '10' } })])],
  ['a sparse map that is odd', tarOf([tarEntry({ path: 'a', flag: '0', content: Buffer.from('xy'), pax: { 'GNU.sparse.map': '5,1,0', 'GNU.sparse.size': '10' } })])],
  ['a sparse header of the old kind without a map', tarOf([patched(tarEntry({ path: 'a', flag: 'S' }), 257, 'ustar  \0')])],
  ['an unknown kind of entry', tarOf([tarEntry({ path: 'a', flag: 'Z', content: Buffer.from('x') }), file('b')])],
  ['a device number beyond all', tarOf([patched(tarEntry({ path: 'a', flag: '3' }), 329, '7777777\x007777777\0')])],
  ['a name that is no UTF-8', tarOf([patched(file('abcdef'), 0, Buffer.from([0x61, 0xff, 0xfe, 0xc0, 0xaf]))])],
  ['a checksum that is wrong', Buffer.from(tarOf([file('a')])).fill(0x39, 148, 152)],
  ['bytes behind the end', Buffer.concat([tarOf([file('a')]), Buffer.alloc(10_000, 0x61)])],
];

describeLab('malformed archives', (lab) => {
  const residentKb = (): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${lab.daemonPid()}/status`, 'utf8'))?.[1]);
  const setUp = ({ name }: Door, first: boolean): void => {
    rmSync(MARK, { recursive: true, force: true });
    writeFileSync('/var/tmp/minke-precious', 'precious\n');
    if (!first && name !== 'archive PUT') return;
    lab.docker('rm', '-f', 'target');
    lab.ok('create', '--name', 'target', IMAGE, 'true');
    expect(lab.run(['docker', 'cp', '-', 'target:/'], tarOf([tarFolder('srv')])).code).toBe(0);
  };
  const faults = (from: number): string[] => lab.daemonLog().slice(from).split('\n').filter((line) => line.includes('level=error'));

  it.each(doors)('lead nowhere but into the folder: $name', async (door) => {
    const { send } = door;
    for (const [index, [name, entries]] of ESCAPES.entries()) {
      setUp(door, index === 0);
      const from = lab.daemonLog().length;
      const passwd = readFileSync('/etc/passwd');
      const { status } = await send(lab, tarOf(entries));
      expect(status, name).not.toBe(0);
      expect(existsSync(MARK), name).toBe(false);
      expect(readFileSync('/var/tmp/minke-precious', 'utf8'), name).toBe('precious\n');
      expect(readFileSync('/etc/passwd').equals(passwd), name).toBe(true);
      expect(lstatSync('/etc/passwd').nlink, name).toBe(1);
      expect(faults(from), name).toEqual([]);
    }
  }, 120_000);

  it.each(doors)('are refused or taken, and are no fault of the daemon: $name', async (door) => {
    const { send } = door;
    const before = residentKb();
    const wrong: string[] = [];
    for (const [index, [name, archive]] of ODDITIES.entries()) {
      setUp(door, index === 0);
      const from = lab.daemonLog().length;
      const { status, body } = await send(lab, archive);
      const found = faults(from);
      if (status === 0 || status === 500 || found.length > 0) wrong.push(`${name}: ${status} ${body.slice(-300)} ${found[0]?.slice(0, 500) ?? ''}`);
    }
    expect(wrong).toEqual([]);
    expect(residentKb() - before).toBeLessThan(32 * 1024);
    expect(readdirSync(`${lab.dataRoot}/tmp`)).toEqual([]);
    expect(existsSync(`${lab.dataRoot}/damaged`)).toBe(false);
  }, 180_000);

  it('leaves a store that is whole', () => {
    lab.run(['rm', '-rf', MARK, '/var/tmp/minke-precious']);
    expect(lab.run([process.env['OSBUILD_ENGINE_BINARY'] ?? '', 'system', 'check']).stdout).not.toMatch(/fault|damaged/i);
    lab.ok('rm', '-f', 'target');
    lab.ok('image', 'prune', '-af');
    expect(lab.ok('images', '-aq')).toBe('');
    expect(readdirSync(`${lab.dataRoot}/layers`)).toEqual([]);
  });
});
