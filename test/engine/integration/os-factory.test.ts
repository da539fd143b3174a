import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

import { addFactoryImage, factoryFolder } from '../../../src/image/factory-image.ts';
import { packFiles } from '../../../src/image/slot-files.ts';
import { loaderConf, loaderEntry } from '../../../src/image/systemd-boot.ts';
import { describeLab } from '../support/describe-lab.ts';
import type { Outcome } from '../support/lab.ts';
import { serveRegistry } from '../support/lab-registry.ts';
import type { TestRegistry } from '../support/registry.ts';
import { tarEntry, tarFile, tarFolder, tarOf, tarSymlink } from '../support/tar-writer.ts';

const binary = process.env['OSBUILD_ENGINE_BINARY'] ?? '';
const tree = process.env['OSBUILD_TEST_TOOLS_TREE'] ?? '';
const obstacle = !existsSync(join(tree, 'usr/bin/mkfs.erofs')) ? 'OSBUILD_TEST_TOOLS_TREE names no tools tree' : readFileSync('/proc/filesystems', 'utf8').includes('\terofs\n') ? undefined : 'this kernel has no erofs';
const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');
/** Content that does not compress, the same each time. */
const noise = (sizeBytes: number, seed: string): Buffer => createHash('shake256', { outputLength: sizeBytes }).update(seed).digest();
const library = (version: string): Buffer => Buffer.concat([noise(2_000_000, 'library'), Buffer.from(`version ${version}`), noise(500_000, 'more')]);

interface Made {
  name: string;
  root: Buffer;
  boot: Buffer;
  config: string;
}

describeLab('the first update of a device that was flashed', (lab) => {
  let registry: TestRegistry;
  const devices: Record<string, string> = {};
  const ids: Record<string, string> = {};
  const shell = (script: string): string => {
    const { code, stdout, stderr } = lab.run(['sh', '-ec', script]);
    if (code !== 0) throw new Error(`${script}: ${stdout}${stderr}`);
    return stdout;
  };
  /** Not synchronously: the registry answers from this process. */
  const minke = async (...args: string[]): Promise<Outcome> => {
    const child = lab.spawn([binary, ...args]);
    let [stdout, stderr] = ['', ''];
    child.stdout?.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr?.on('data', (data: Buffer) => (stderr += data.toString()));
    const code = await new Promise<number>((done) => child.once('close', (status) => done(status ?? -1)));
    return { code, stdout, stderr };
  };
  const good = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await minke(...args);
    expect([args, code, stderr]).toEqual([args, 0, '']);
    return stdout;
  };
  /** Bytes of blobs that the registry was asked for while an update ran, and what that said. */
  const updated = async (): Promise<{ loadedBytes: number; outcome: Outcome }> => {
    const before = registry.requests.length;
    const outcome = await minke('os', 'update', '--again', 'localhost:5000/os:1.1');
    const digests = registry.requests.slice(before).flatMap(({ method, url }) => (method === 'GET' ? (/\/blobs\/(sha256:[0-9a-f]{64})/.exec(url)?.[1] ?? []) : []));
    return { loadedBytes: digests.reduce((sum, digest) => sum + (registry.blobOf('os', digest)?.length ?? 0), 0), outcome };
  };

  async function make(version: string): Promise<Made> {
    const folder = join(lab.folder, `made-${version}`);
    mkdirSync(folder);
    const root = tarOf([
      tarFolder('bin'), tarFile('bin/sh', readFileSync('/bin/busybox'), { mode: 0o755 }), tarFolder('etc'), tarFile('etc/os-release', `VERSION_ID=${version}\n`, { uid: 3, gid: 4, mode: 0o640 }),
      tarFile('etc/empty', ''), tarFolder('usr'), tarFolder('usr/lib'), tarFile('usr/lib/library', library(version), { mtime: version === '1.0' ? 1_700_000_000 : 1_750_000_000 }), tarSymlink('lib', '/usr/lib'),
      tarFile('usr/lib/setuid', 'x', { mode: 0o4755 }), tarEntry({ path: 'usr/lib/hard', flag: '1', link: 'usr/lib/setuid' }), tarFile('usr/lib/named', 'by an attribute', { pax: { path: `usr/lib/${'ü'.repeat(90)}` } }),
    ]);
    const files = { 'boot/initrd': noise(300_000, 'initrd'), 'boot/kernel': Buffer.concat([noise(700_000, 'kernel'), Buffer.from(version)]), 'boot/dtb/maker/board.dtb': Buffer.from('tree'), 'shared/boot.scr': Buffer.from('script') };
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(folder, path, '..'), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    const archive = join(folder, 'slot.tar');
    await packFiles({ files: Object.keys(files).map((path) => ({ path, file: join(folder, path) })), epoch: 1_750_000_000, archive });
    const boot = readFileSync(archive);
    writeFileSync(join(folder, 'root.tar'), root);
    const description = {
      format: 1, machine: 'board', os: { name: 'Minke OS', id: 'minke', version }, mode: 'production', commandLine: ['quiet'], loader: 'systemd-boot',
      slot: { argv: ['sh', '-c', 'exec busybox cat >"$0"'], sha256: sha256(root), sizeBytes: root.length }, layers: { root: sha256(root), boot: sha256(boot) },
    };
    const config = JSON.stringify({
      architecture: { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' }[process.arch as 'x64'] ?? process.arch, os: 'linux',
      config: { Env: ['PATH=/bin'], Labels: { 'io.minke.os.release': JSON.stringify(description) } }, rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(root)}`, `sha256:${sha256(boot)}`] },
    });
    const name = `localhost:5000/os:${version}`;
    const manifest = JSON.stringify([{ Config: `${sha256(config)}.json`, RepoTags: [name], Layers: ['root.tar', 'boot.tar'] }]);
    writeFileSync(join(folder, 'os.tar'), tarOf([tarFile('root.tar', root), tarFile('boot.tar', boot), tarFile(`${sha256(config)}.json`, config), tarFile('manifest.json', manifest)]));
    await good('load', '-i', join(folder, 'os.tar'));
    ids[version] = `sha256:${sha256(config)}`;
    return { name, root, boot, config };
  }

  /** As the builder's last steps and a flashing tool leave it: slot A, and its folder of the boot partition. */
  async function flash({ config }: Made, version: string): Promise<void> {
    const folder = join(lab.folder, `made-${version}`);
    const image = join(folder, 'root.erofs');
    const made = spawnSync(join(tree, 'lib64/ld-linux-x86-64.so.2'), ['--library-path', `${join(tree, 'usr/lib/x86_64-linux-gnu')}`, join(tree, 'usr/bin/mkfs.erofs'), '--quiet', '--tar=f', '-zlz4hc', '-C65536', '-T1750000000', '-Uclear', image, join(folder, 'root.tar')]);
    if (made.status !== 0) throw new Error(made.stderr.toString());
    shell(`dd if=${image} of=${devices['A']} bs=1M conv=fsync status=none`);
    const scratch = join(folder, 'scratch');
    mkdirSync(scratch, { recursive: true });
    writeFileSync(join(folder, 'config.json'), config);
    const inputs: Record<string, string> = { root: join(folder, 'root.tar'), slotFiles: join(folder, 'slot.tar'), config: join(folder, 'config.json') };
    const paths = await addFactoryImage({
      scratch,
      input: (name: string) => inputs[name] ?? '',
      digest: (name: string) => sha256(readFileSync(inputs[name] ?? '')),
      tool: async ({ argv }: { argv: readonly string[] }) => spawnSync(argv[0] ?? '', argv.slice(1).map((word) => word.replace('/scratch', scratch))).stdout.toString(),
    } as unknown as Parameters<typeof addFactoryImage>[0], join(folder, 'boot-partition'));
    expect(paths.every((path) => path.startsWith(factoryFolder))).toBe(true);
    shell(`mount -o remount,rw /mnt/boot; rm -rf /mnt/boot/A; cp -r ${folder}/boot /mnt/boot/A; cp -r ${folder}/boot-partition/A/image /mnt/boot/A/; cp ${folder}/shared/* /mnt/boot/; mount -o remount,ro /mnt/boot`);
  }

  let old: Made;
  let next: Made;

  beforeAll(async () => {
    shell(`mount -t tmpfs tmpfs /mnt; mkdir /mnt/boot /mnt/data; mount -t tmpfs tmpfs /run; mkdir /run/minke; mount -t tmpfs tmpfs /var/lib`);
    for (const name of ['A', 'B']) {
      shell(`truncate -s 40M ${lab.folder}/${name}.img`);
      devices[name] = shell(`losetup --find --show ${lab.folder}/${name}.img`).trim();
    }
    shell('mount -t tmpfs tmpfs /mnt/boot; mkdir -p /mnt/boot/loader/entries');
    const entry = loaderEntry({ slot: 'A', title: 'Minke OS', version: '1.0', generation: 1, commandLine: ['quiet'] });
    for (const [path, content] of Object.entries({ 'loader/loader.conf': loaderConf, 'loader/entries/minke-a.conf': entry })) lab.run(['sh', '-c', `cat >/mnt/boot/${path}`], content);
    shell('echo board >/run/minke/machine; echo A >/run/minke/slot');
    for (const slot of ['A', 'B']) shell(`basename ${devices[slot]} >/run/minke/root-${slot}`);
    shell(`echo 'VERSION_ID="1.0"' >/run/minke/os-release; mount --bind /run/minke/os-release /etc/os-release`);
    await lab.signalDaemon('SIGTERM');
    await lab.startDaemon('--delta-data-root', '/run/minke/base');
    registry = await serveRegistry(lab, 5000, { referrers: true });
    [old, next] = [await make('1.0'), await make('1.1')];
    for (const { name } of [old, next]) await good('push', name);
    await good('image', 'delta', old.name, next.name, '-t', 'localhost:5000/os:delta');
    await good('push', 'localhost:5000/os:delta');
    await good('image', 'prune', '-af');
    await flash(old, '1.0');
  });
  afterEach(async () => {
    expect(shell('cat /proc/self/mountinfo')).not.toContain('/run/minke/base');
    expect(existsSync(`/proc/${lab.daemonPid()}/root/run/minke/base`)).toBe(false);
    await good('image', 'prune', '-af');
  });
  afterAll(async () => {
    await registry?.close();
    lab.run(['umount', '/mnt/boot']);
    for (const device of Object.values(devices)) lab.run(['losetup', '-d', device]);
  });

  it('is a delta to the files of its slot, which are copied nowhere', async () => {
    expect(await good('images', '-aq')).toBe('');
    const { loadedBytes, outcome } = await updated();
    expect(outcome).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('release 1.1 is tried at the next start') });
    const wholeBytes = next.root.length + next.boot.length;
    expect(wholeBytes).toBeGreaterThan(4_000_000);
    expect(loadedBytes).toBeLessThan(wholeBytes / 200);
    expect(new Set((await good('images', '-aq', '--no-trunc')).trim().split('\n'))).toEqual(new Set([ids['1.1']]));
    expect(shell(`head -c ${next.root.length} ${devices['B']} | sha256sum`)).toContain(sha256(next.root));
    expect(shell('sha256sum </mnt/boot/B/kernel')).toContain(sha256(readFileSync(join(lab.folder, 'made-1.1/boot/kernel'))));
    // The record of all headers is small beside what it spares.
    expect(statSync(join(lab.folder, 'made-1.0/boot-partition/A/image/root.gz')).size).toBeLessThan(2000);
  });

  it.each<[string, string, string, RegExp]>([
    ['whose slot holds other bytes than its release', `printf X | dd of=$A bs=1 seek=$(($(stat -c %s $F/made-1.0/root.erofs) - 300000)) conv=notrunc status=none`, `dd if=$F/made-1.0/root.erofs of=$A bs=1M conv=fsync status=none`, /^(?!.*note:.*base)/s],
    ['whose description is of another release', `mount -o remount,rw /mnt/boot; sed -i 's/1\\.0/1.2/' /mnt/boot/A/image/config.json; mount -o remount,ro /mnt/boot`, `mount -o remount,rw /mnt/boot; sed -i 's/1\\.2/1.0/' /mnt/boot/A/image/config.json; mount -o remount,ro /mnt/boot`, /note: the release that runs cannot be the base of a delta: .*1\.2, and 1\.0 runs/],
    ['whose description is gone', `mount -o remount,rw /mnt/boot; mv /mnt/boot/A/image /mnt/boot/A/gone; mount -o remount,ro /mnt/boot`, `mount -o remount,rw /mnt/boot; mv /mnt/boot/A/gone /mnt/boot/A/image; mount -o remount,ro /mnt/boot`, /^(?!.*note:.*base)/s],
  ])('of a device %s is the whole release', async (_, spoil, mend, said) => {
    const variables = `A=${devices['A']}; F=${lab.folder};`;
    shell(`${variables} ${spoil}`);
    const { loadedBytes, outcome } = await updated();
    shell(`${variables} ${mend}`);
    expect(outcome).toMatchObject({ code: 0, stdout: expect.stringContaining('release 1.1 is tried at the next start') });
    expect(outcome.stdout).toMatch(said);
    expect(loadedBytes).toBeGreaterThan(2_000_000);
  });
}, { image: false, obstacle });
