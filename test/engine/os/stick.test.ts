import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';

import { releaseConfig, type Release } from '../../../src/image/release.ts';
import { settle, updateFromStick, type Device, type OsEngine } from '../../../src/engine/os/index.ts';
import { archiveLabels } from '../../../src/engine/os/stick.ts';
import { tarFile, tarFolder, tarOf } from '../support/tar-writer.ts';
import { flashed, start } from './support/fake-board.ts';
import { fakeDevice, fakeEngine, release, started, type Disk } from './support/fake-device.ts';

const endless = { changesLeft: Number.POSITIVE_INFINITY, torn: false };
const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });
const [ours, theirs] = [pair(), pair()];
const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
const refused = (code: string) => expect.objectContaining({ code });
const POINT = '/run/minke/stick-';

interface Archive {
  bytes: Buffer;
  labels: Record<string, string>;
  made: ReturnType<typeof release>;
}

/** As osbuild lays it out: index, manifest, configuration, layers. */
function archive(version: string, { signer, machine = 'board', early = [] as Buffer[] }: { signer?: { privateKey: string }; machine?: string; early?: Buffer[] } = {}): Archive {
  const made = release(version, machine);
  const config = releaseConfig({ format: 1, ...made.release, loader: 'u-boot' } as Release, 'amd64', 0, (content) => (signer === undefined ? [] : [sign('sha256', Buffer.from(content), signer.privateKey).toString('base64')]));
  const manifest = JSON.stringify({ schemaVersion: 2, config: { digest: `sha256:${sha256(config)}` }, layers: [] });
  const index = JSON.stringify({ schemaVersion: 2, manifests: [{ digest: `sha256:${sha256(manifest)}` }] });
  const bytes = tarOf([tarFolder('blobs'), ...early, tarFile('oci-layout', '{}'), tarFile('index.json', index), tarFile(`blobs/sha256/${sha256(manifest)}`, manifest), tarFile(`blobs/sha256/${sha256(config)}`, config), tarFile('blobs/sha256/layer', Buffer.alloc(2_000_000))]);
  return { bytes, made, labels: (JSON.parse(config) as { config: { Labels: Record<string, string> } }).config.Labels };
}

let disk: Disk;
let said: string[];
/** What is on the stick, by name. */
let stick: Record<string, Archive>;
let loaded: string[];
let readBytes: number;
let mounts: string[];

const say = async (line: string): Promise<void> => void said.push(line);

function trusting(...keys: { publicKey: string }[]): void {
  for (const [index, { publicKey }] of keys.entries()) disk.files.set(`/keys/${index}.pem`, Buffer.from(publicKey));
}

function device(): Device {
  const one = fakeDevice(disk, endless);
  one.system.files.mount = ({ source, target, type, flags }) => {
    if (!target.startsWith(POINT)) return;
    expect(flags).toEqual(['read-only', 'nosuid', 'nodev', 'noexec']);
    if ([...disk.files.keys()].some((path) => path.startsWith(POINT))) throw Object.assign(new Error('EBUSY'), { code: 'EBUSY' });
    if (type === 'vfat') throw Object.assign(new Error('EINVAL'), { code: 'EINVAL' });
    mounts.push(`${source} ${type}`);
    for (const [name, { bytes }] of Object.entries(stick)) disk.files.set(`${target}/minke/${name}`, bytes);
  };
  one.system.files.unmount = (target) => {
    const below = [...disk.files.keys()].filter((path) => path.startsWith(`${target}/`));
    if (below.length === 0) throw Object.assign(new Error('EINVAL'), { code: 'EINVAL' });
    for (const path of below) disk.files.delete(path);
  };
  return one;
}

const open = (path: string) => {
  const parts = disk.files.get(path)?.toString('latin1').match(/[^]{1,65536}/g) ?? [];
  return {
    async read() {
      const part = parts.shift();
      if (part === undefined) return null;
      readBytes += part.length;
      return Buffer.from(part, 'latin1');
    },
    close: () => undefined,
  };
};

function engine(): OsEngine {
  const known = Object.fromEntries(Object.entries(stick).map(([name, { made }]) => [`sha256:${sha256(name)}`, made]));
  const inner = fakeEngine(disk, endless, known);
  return {
    ...inner,
    async load(source) {
      const parts: Uint8Array[] = [];
      for (let part = await source.read(); part !== null; part = await source.read()) parts.push(part);
      const name = Object.entries(stick).find(([, { bytes }]) => bytes.equals(Buffer.concat(parts)))?.[0] ?? '';
      loaded.push(name);
      return `sha256:${sha256(name)}`;
    },
    labels: async (id) => Object.entries(stick).find(([name]) => `sha256:${sha256(name)}` === id)?.[1].labels,
  };
}

const plugged = () => updateFromStick(device(), engine(), '/dev/sdb1', open, say);

beforeEach(() => {
  disk = flashed('u-boot');
  [said, loaded, mounts, stick, readBytes] = [[], [], [], {}, 0];
  trusting(ours);
});

describe('a stick', () => {
  test('gives the newest release that is for this machine, and is left', async () => {
    stick = {
      'minke-board-1.9.os.tar': archive('1.9', { signer: ours }), 'minke-board-1.10.os.tar': archive('1.10', { signer: ours }), 'minke-toaster-3.0.os.tar': archive('3.0', { signer: ours, machine: 'toaster' }),
      'minke-board-0.9.os.tar': archive('0.9', { signer: ours }), 'minke-board-4.0.img': archive('4.0', { signer: ours }),
    };
    expect((await plugged())?.os.version).toBe('1.10');
    expect([loaded, mounts, start(disk, 'u-boot')]).toEqual([['minke-board-1.10.os.tar'], ['/dev/sdb1 exfat'], 'B']);
    expect([...disk.files.keys()].filter((path) => path.startsWith(POINT))).toEqual([]);
  });

  test('without partitions, which is announced as a disk and as a partition, is taken by one of the two and not disturbed by the other', async () => {
    stick = { 'minke-board-1.1.os.tar': archive('1.1', { signer: ours }) };
    const taken = await Promise.all(['/dev/sdb', '/dev/sdb1'].map((block) => updateFromStick(device(), engine(), block, open, say)));
    expect([taken.map((one) => one?.os.version), loaded]).toEqual([['1.1', undefined], ['minke-board-1.1.os.tar']]);
    expect(said).toContain('/dev/sdb1 is being read under its other name');
  });

  test.each<[string, () => Record<string, Archive>, string]>([
    ['that is not signed', () => ({ 'minke-board-1.1.os.tar': archive('1.1') }), 'OS_NOT_TRUSTED'],
    ['that somebody else signed', () => ({ 'minke-board-1.1.os.tar': archive('1.1', { signer: theirs }) }), 'OS_NOT_TRUSTED'],
    ['for another machine, whatever its name says', () => ({ 'minke-board-1.1.os.tar': archive('1.1', { signer: ours, machine: 'toaster' }) }), 'OS_WRONG_MACHINE'],
    ['of another version than its name says', () => ({ 'minke-board-1.2.os.tar': archive('1.1', { signer: ours }) }), 'OS_RELEASE_INVALID'],
    ['whose description comes behind something large', () => ({ 'minke-board-1.1.os.tar': archive('1.1', { signer: ours, early: [tarFile('large', Buffer.alloc(1_100_000))] }) }), 'OS_RELEASE_INVALID'],
  ])('is refused with a release %s, before any of it gets into the engine', async (_, make, code) => {
    stick = make();
    const before = new Map(disk.files);
    await expect(plugged()).rejects.toThrow(refused(code));
    expect([loaded, disk.files]).toEqual([[], before]);
    expect(readBytes).toBeLessThan(200_000);
  });

  test('is refused by a device that trusts nobody', async () => {
    disk.files.delete('/keys/0.pem');
    stick = { 'minke-board-1.1.os.tar': archive('1.1', { signer: ours }) };
    await expect(plugged()).rejects.toThrow(refused('OS_NOT_TRUSTED'));
    expect(loaded).toEqual([]);
  });

  test('whose archive is another one by the time it is loaded is refused as well', async () => {
    stick = { 'minke-board-1.1.os.tar': archive('1.1', { signer: ours }) };
    const swapped = { ...engine(), labels: async () => archive('1.1').labels };
    await expect(updateFromStick(device(), swapped, '/dev/sdb1', open, say)).rejects.toThrow(refused('OS_NOT_TRUSTED'));
    expect(start(disk, 'u-boot')).toBe('A');
  });

  test('with nothing that is newer changes nothing, and says what it looks for', async () => {
    stick = { 'minke-board-1.0.os.tar': archive('1.0', { signer: ours }) };
    expect(await plugged()).toBeUndefined();
    expect([loaded, said]).toEqual([[], ['the stick holds no release for board that is newer than 1.0: minke/minke-board-VERSION.os.tar']]);
    stick = {};
    expect(await plugged()).toBeUndefined();
  });

  test('that stays where it is does not bring a release again that did not work', async () => {
    stick = { 'minke-board-1.1.os.tar': archive('1.1', { signer: ours }) };
    await plugged();
    expect([start(disk, 'u-boot'), start(disk, 'u-boot')]).toEqual(['B', 'A']);
    started(disk, 'A', '1.0');
    expect(await settle(device(), engine(), { healthMs: 1000, locksMs: 0 }, say)).toBe('rolled-back');
    expect(await plugged()).toBeUndefined();
    expect(said.at(-1)).toMatch(/^release 1\.1 has been tried and did not work \(it did not get as far .*\): it is not taken again by itself$/);
    // A newer one is.
    stick = { ...stick, 'minke-board-1.2.os.tar': archive('1.2', { signer: ours }) };
    expect((await plugged())?.os.version).toBe('1.2');
  });

  test('of another file system is not mounted', async () => {
    const one = device();
    one.system.files.mount = () => { throw Object.assign(new Error('EINVAL'), { code: 'EINVAL' }); };
    await expect(updateFromStick(one, engine(), '/dev/sdb1', open, say)).rejects.toThrow(refused('OS_STICK'));
  });
});

test.each(['', '{}', '[]', 'null', '{"manifests":[]}', '{"manifests":[{"digest":"../../x"}]}', '{"manifests":[{"digest":7}]}'])('an archive with index %s holds no labels', async (index) => {
  const parts = [tarOf([tarFile('index.json', index), tarFile('blobs/x', '{')])];
  await expect(archiveLabels({ read: async () => parts.shift() ?? null })).rejects.toThrow(refused('OS_RELEASE_INVALID'));
});
