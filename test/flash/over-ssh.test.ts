// A disk of another host, reached over a real SSH server; the disk is a file, and in the last tests a loop device of this kernel.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { flashDisk, headBytes, judgeDisk, listDisks, listDisksThere, openDiskThere, openImage, type FlashOptions } from '../../src/flash/index.ts';
import { writerCommand } from '../../src/flash/writer.ts';
import { encodeBmap } from '../../src/image/bmap.ts';
import type { BlockMap } from '../../src/image/index.ts';
import { connectHost, runThere, type HostConnection } from '../../src/remote/index.ts';
import { hasProgram, isRoot } from '../support/need.ts';
import { sshServerObstacle, startSshServer, type SshServer } from '../support/ssh-server.ts';

const MiB = 1024 * 1024;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** With something that can be packed, something that cannot, pieces of more than one piece's length, and holes. */
const image = Buffer.alloc(20 * MiB + 512);
const places: Array<[number, number]> = [[0, 8192], [MiB - 4096, MiB + 8192], [2 * MiB, 19 * MiB], [20 * MiB, 20 * MiB + 512]];
for (const [start, end] of places) randomBytes(end - start).copy(image, start);
image.fill('text that repeats itself', 3 * MiB, 12 * MiB);
const map: BlockMap = { imageBytes: image.length, ranges: places.map(([start, end]) => ({ start, end, sha256: sha256(image.subarray(start, end)) })) };
const deviceBytes = 24 * MiB;
/** Every piece is forced to the medium: that is for disks to be quick about, and not for this test. */
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const never = new AbortController().signal;

async function until(holds: () => boolean): Promise<void> {
  for (let attempt = 0; !holds(); attempt++) {
    if (attempt === 600) throw new Error(`it never came to that: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe.each(['openssh', 'dropbear'] as const)('a disk of a host with %s', { timeout: 300_000 }, (kind) => {
  const obstacle = sshServerObstacle(kind) ?? (hasProgram('flock') && hasProgram('blockdev') ? null : 'needs util-linux');
  let server: SshServer;
  let folder: string;
  let disk: string;
  let connection: HostConnection;

  beforeAll(async () => {
    if (obstacle === null) server = await startSshServer({ kind });
  }, 60_000);
  afterAll(async () => {
    if (obstacle === null) await server.close();
  });
  beforeEach(async (context) => {
    if (obstacle !== null) context.skip(obstacle);
    folder = mkdtempSync(join(memory, 'osbuild-flash-'));
    disk = join(folder, "a disk's file");
    writeFileSync(disk, Buffer.alloc(deviceBytes, 0xee));
    writeFileSync(join(folder, 'known_hosts'), `${server.knownHost}\n`);
    writeFileSync(join(folder, 'x.img'), image);
    connection = await connect();
  });
  afterEach(() => {
    if (obstacle !== null) return;
    connection.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const connect = (): Promise<HostConnection> => connectHost({ host: '127.0.0.1', port: server.port, user: server.user }, { knownHosts: [join(folder, 'known_hosts')], identities: [server.identity] }, never);
  const open = (signal = never, path = disk) => openDiskThere({ connection, path, sizeBytes: deviceBytes, headBytes, signal });
  const flash = async (own: Partial<FlashOptions> = {}) => flashDisk({ image: openImage(join(folder, 'x.img')), map, disk: own.disk ?? (await open(own.signal)), signal: never, progress: () => undefined, ...own });
  const blank = (): boolean => {
    const content = readFileSync(disk);
    return content.subarray(0, MiB).every((byte) => byte === 0) && content.subarray(-MiB).every((byte) => byte === 0);
  };
  const expectImage = (): void => {
    const content = readFileSync(disk);
    for (const [start, end] of places) expect(content.subarray(start, end).equals(image.subarray(start, end))).toBe(true);
    expect(content.subarray(8192, MiB - 4096).every((byte) => byte === 0)).toBe(true);
    expect(content.subarray(19 * MiB, 20 * MiB).every((byte) => byte === 0xee)).toBe(true);
    expect(content).toHaveLength(deviceBytes);
  };

  test('mapped bytes are written and read back; holes stay as they were', async () => {
    const stages: string[] = [];
    expect(await flash({ progress: (stage, done, total) => stages.push(`${stage} ${done}/${total}`) })).toEqual({ writtenBytes: 17 * MiB + 8192 + 12288 + 512, ranges: 4 });
    expectImage();
    expect(stages[0]).toMatch(/^write /);
    expect(stages.at(-1)).toMatch(/^verify (\d+)\/\1$/);
    // It goes without bash, and without gzip: the bytes are the same.
    const bare = join(folder, 'bin');
    mkdirSync(bare);
    for (const name of ['sh', 'dd', 'head', 'flock', 'blockdev', 'sha256sum', 'id', 'tr', 'lsblk', 'grep']) execFileSync('ln', ['-s', execFileSync('sh', ['-c', `command -v ${name}`]).toString().trim(), bare]);
    writeFileSync(disk, Buffer.alloc(deviceBytes, 0xee));
    const { start } = connection;
    connection.start = (command) => start(command.replace('sh -c', `PATH=${bare} ${join(bare, 'sh')} -c`).replace('PATH=$PATH:/usr/sbin:/sbin', 'PATH=$PATH'));
    await flash();
    expectImage();
  });

  test('a connection that breaks is told, the disk does not start, and the same again works', async () => {
    for (const stage of ['write', 'verify'] as const) {
      const ended = flash({ progress: (at) => at === stage && server.drop() });
      await expect(ended).rejects.toMatchObject({ code: 'OSB_REMOTE_HOST', message: expect.stringContaining('was lost') });
      await until(blank);
      connection = await connect();
    }
    await flash();
    expectImage();
  });

  test('cancelled, while it is written and while it is read back', async () => {
    for (const stage of ['write', 'verify'] as const) {
      const abort = new AbortController();
      await expect(flash({ signal: abort.signal, progress: (at) => at === stage && abort.abort() })).rejects.toMatchObject({ code: 'OSB_CANCELLED' });
      expect(blank()).toBe(true);
    }
    await flash();
    expectImage();
  });

  test('a medium that does not keep what it took, one that is smaller than it says, one that takes nothing', async () => {
    const kept = await open();
    const forgetful = { ...kept, dropCache: async () => {
      execFileSync('dd', ['if=/dev/zero', `of=${disk}`, 'bs=512', `seek=${(7 * MiB) / 512}`, 'count=1', 'conv=notrunc', 'status=none']);
      await kept.dropCache();
    } };
    await expect(flash({ disk: forgetful })).rejects.toMatchObject({ code: 'OSB_FLASH_FAILED', hint: expect.stringContaining('counterfeit') });
    expect(blank()).toBe(true);
    await expect(flash({ disk: await open(never, '/dev/full') })).rejects.toMatchObject({ code: 'OSB_FLASH_FAILED', message: expect.stringMatching(/^\/dev\/full of .* took no more at byte 0: No space left on device/) });
  });

  test('two at once, and a disk that is not there', async () => {
    const first = await open();
    await expect(open()).rejects.toMatchObject({ code: 'OSB_DISK_REFUSED', message: expect.stringContaining('another program writes to it') });
    await first.close(headBytes);
    await expect(open(never, join(folder, 'none'))).rejects.toMatchObject({ code: 'OSB_DISK_REFUSED' });
    // Nothing was ordered yet: nothing was written.
    expect(readFileSync(disk).every((byte) => byte === 0xee)).toBe(true);
  });

  test('its disks are those that a program there sees', async (context) => {
    if (!hasProgram('lsblk')) context.skip('needs lsblk');
    const here = await listDisks({ PATH: process.env['PATH'] ?? '' }, never);
    // Loop devices come and go with other tests.
    const steady = (disks: typeof here) => disks.filter(({ path }) => !path.startsWith('/dev/loop')).map(({ path, sizeBytes }) => ({ path, sizeBytes }));
    expect(steady(await listDisksThere(connection, never))).toEqual(steady(here));
  });
});

test('the line that starts the writer fits into what dropbear takes of one', () => {
  expect(writerCommand('/dev/mmcblk1', headBytes, 180).length).toBeLessThan(9000);
});

describe('which disks of a device are refused', () => {
  const disk = { path: '/dev/mmcblk0', sizeBytes: 32e9, model: '', transport: 'mmc', readOnly: false, removable: true, uses: [] };
  const host = 'root@minke.local';
  test.each(['/', '/mnt/boot', '/mnt/state', '/mnt/data'])('the one that holds %s, and an update is named', (where) => {
    const judgement = judgeDisk({ ...disk, uses: [{ device: '/dev/mmcblk0p6', kind: 'mounted', where: '/srv' }, { device: '/dev/mmcblk0p2', kind: 'mounted', where }] }, { imageBytes: 1, fixed: true, host });
    expect(judgement).toEqual({ free: false, why: `${host} runs from it: /dev/mmcblk0p2 is mounted at ${where}`, hint: expect.stringContaining('minke os update FILE') });
  });
  test('one that is in use, a fixed one, one that is too small', () => {
    const why = (own: Partial<typeof disk>, fixed = false) => judgeDisk({ ...disk, ...own }, { imageBytes: 4e9, fixed, host });
    expect(why({ uses: [{ device: '/dev/sda1', kind: 'mounted', where: '/mnt/stick' }] as never })).toMatchObject({ free: false, hint: 'umount /mnt/stick, there' });
    expect(why({ uses: [{ device: '/dev/sda1', kind: 'swap', where: 'swap' }] as never })).toMatchObject({ free: false, hint: `this is a disk of ${host}; take another` });
    expect(why({ removable: false })).toMatchObject({ free: false, overridable: '--fixed' });
    expect(why({ removable: false }, true)).toEqual({ free: true });
    expect(why({ sizeBytes: 1e9 })).toMatchObject({ free: false });
  });
});

describe('osbuild flash --host', { timeout: 600_000 }, () => {
  const obstacle = sshServerObstacle('openssh') ?? (isRoot && hasProgram('losetup') && hasProgram('lsblk') && existsSync('/dev/loop-control') ? null : 'needs root, loop devices and lsblk');
  let server: SshServer;
  let folder: string;
  let loop = '';
  const osbuild = (...words: string[]) =>
    execa(join(import.meta.dirname, '../../osbuild'), ['flash', '--host', `${server.user}@127.0.0.1:${server.port}`, '--identity', server.identity, ...words], { reject: false, env: { HOME: folder, SSH_AUTH_SOCK: '', OSBUILD_CACHE_DIR: join(folder, 'cache') } });

  beforeAll(async () => {
    if (obstacle !== null) return;
    server = await startSshServer();
    folder = mkdtempSync(join(memory, 'osbuild-flash-'));
    mkdirSync(join(folder, '.ssh'));
    writeFileSync(join(folder, '.ssh/known_hosts'), `${server.knownHost}\n`);
    writeFileSync(join(folder, 'x.img'), image);
    writeFileSync(join(folder, 'x.bmap'), encodeBmap(map));
    writeFileSync(join(folder, 'medium'), Buffer.alloc(deviceBytes, 0xee));
    loop = (await execa('losetup', ['--find', '--show', join(folder, 'medium')], { reject: false })).stdout;
  }, 60_000);
  beforeEach((context) => {
    if (obstacle !== null) context.skip(obstacle);
    if (loop === '') context.skip('there is no loop device to be had');
  });
  afterAll(async () => {
    if (loop !== '') await execa('losetup', ['--detach', loop]);
    if (obstacle !== null) return;
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('lists, asks for what it needs to be told, writes, refuses what is mounted', async () => {
    expect((await osbuild('--fixed')).stdout).toMatch(new RegExp(`^${loop} .* yes$`, 'm'));
    const words = [join(folder, 'x.img'), '--device', loop];
    expect(await osbuild(...words)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('it is a fixed disk') });
    expect(await osbuild(...words, '--fixed')).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/everything on \/dev\/loop\d+ of \S+@127\.0\.0\.1 .* is lost/) });
    expect(readFileSync(join(folder, 'medium')).every((byte) => byte === 0xee)).toBe(true);
    expect(await osbuild(...words, '--fixed', '--yes')).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(new RegExp(`^${loop} of ${server.user}@127.0.0.1 holds the image: `)) });
    const { stdout } = await execa('dd', [`if=${loop}`, 'bs=1M', 'status=none'], { encoding: 'buffer' });
    for (const [start, end] of places) expect(Buffer.from(stdout.subarray(start, end)).equals(image.subarray(start, end))).toBe(true);
    expect(await osbuild(...words.slice(0, -1), '/dev/nothing')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`hint: \`osbuild flash --host ${server.user}@127.0.0.1:${server.port}\` lists the disks`) });
  });

  test('a host whose key is not known, and one that does not answer', async () => {
    const words = ['--host', `root@127.0.0.1:1`];
    expect(await osbuild(...words)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('cannot be reached on port 1') });
    writeFileSync(join(folder, '.ssh/known_hosts'), '');
    expect(await osbuild()).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/is not known: ssh-ed25519 SHA256:.*\n.*dropbearkey/) });
    writeFileSync(join(folder, '.ssh/known_hosts'), `${server.knownHost}\n`);
  });

  test('a disk that something has mounted since it was looked at is refused by the kernel', async (context) => {
    if (!hasProgram('mkfs.ext4')) context.skip('needs mkfs.ext4');
    await execa('mkfs.ext4', ['-q', '-F', loop]);
    const at = join(folder, 'mount');
    mkdirSync(at);
    await execa('mount', [loop, at]);
    const connection = await connectHost({ host: '127.0.0.1', port: server.port, user: server.user }, { knownHosts: [join(folder, '.ssh/known_hosts')], identities: [server.identity] }, never);
    try {
      expect(await osbuild(join(folder, 'x.img'), '--device', loop, '--fixed', '--yes')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`is mounted at ${at}`) });
      await expect(openDiskThere({ connection, path: loop, sizeBytes: deviceBytes, headBytes, signal: never })).rejects.toMatchObject({ code: 'OSB_DISK_REFUSED', message: expect.stringContaining('it is in use') });
      expect((await runThere(connection, `ls ${at}`, never)).stdout).toContain('lost+found');
    } finally {
      connection.close();
      await execa('umount', [at]);
    }
  });
});
