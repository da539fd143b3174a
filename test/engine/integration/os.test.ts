import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { loaderConf, loaderEntry } from '../../../src/image/systemd-boot.ts';
import { IMAGE, waitFor } from '../support/lab.ts';
import { describeLab } from '../support/describe-lab.ts';
import { tarFile, tarFolder, tarOf } from '../support/tar-writer.ts';

const binary = process.env['OSBUILD_ENGINE_BINARY'] ?? '';
const notHere = 'this system was not started from a slot of Minke OS\n  hint: minke os is for devices that run Minke OS; the engine needs no such thing\n';
const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

interface Status {
  slot: string;
  next: string;
  trial: boolean;
  update: { phase: string; reason?: string } | null;
}

describeLab('updates of the OS, on partitions of loop devices', (lab) => {
  const minke = (...words: string[]) => lab.run([binary, ...words]);
  const shell = (script: string): string => {
    const { code, stdout, stderr } = lab.run(['sh', '-ec', script]);
    if (code !== 0) throw new Error(`${script}: ${stdout}${stderr}`);
    return stdout;
  };
  const status = (): Status => JSON.parse(minke('os', 'status', '--format', 'json').stdout) as Status;
  const devices: Record<string, string> = {};

  /** The lab's busybox makes the root: it writes the archive as it is. */
  function release(version: string, machine = 'board'): { archive: string; root: Buffer; kernel: Buffer } {
    const busybox = readFileSync('/bin/busybox');
    const root = tarOf([tarFolder('bin'), tarFile('bin/sh', busybox, { mode: 0o755 }), tarFile('etc/os-release', `VERSION_ID=${version}\n`), tarFile('big', Buffer.alloc(3_000_000, version))]);
    const kernel = Buffer.alloc(700_000, `kernel ${version}`);
    const boot = tarOf([tarFolder('boot'), tarFile('boot/initrd', `initrd ${version}`), tarFile('boot/kernel', kernel), tarFolder('shared'), tarFile('shared/boot.scr', `script ${version}`), tarFile('shared/owners.bin', version)]);
    const description = {
      format: 1, machine, os: { name: 'Minke OS', id: 'minke', version }, mode: 'production', commandLine: ['quiet'], loader: 'systemd-boot',
      slot: { argv: ['sh', '-c', 'exec busybox cat >"$0"'], sha256: sha256(root), sizeBytes: root.length }, layers: { root: sha256(root), boot: sha256(boot) },
    };
    const config = JSON.stringify({
      architecture: { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' }[process.arch as 'x64'] ?? process.arch, os: 'linux',
      config: { Env: ['PATH=/bin'], Labels: { 'io.minke.os.release': JSON.stringify(description) } }, rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(root)}`, `sha256:${sha256(boot)}`] },
    });
    const archive = join(lab.folder, `${version}-${machine}.os.tar`);
    const manifest = JSON.stringify([{ Config: `${sha256(config)}.json`, RepoTags: [`os:${version}`], Layers: ['root.tar', 'boot.tar'] }]);
    writeFileSync(archive, tarOf([tarFile('root.tar', root), tarFile('boot.tar', boot), tarFile(`${sha256(config)}.json`, config), tarFile('manifest.json', manifest)]));
    return { archive, root, kernel };
  }

  beforeAll(() => {
    // Mounts of the lab alone; the loop devices end with it.
    shell(`mount -t tmpfs tmpfs /mnt; mkdir /mnt/boot /mnt/data; mount -t tmpfs tmpfs /run; mkdir /run/minke; mount -t tmpfs tmpfs /var/lib`);
    for (const name of ['A', 'B']) {
      shell(`truncate -s 40M ${lab.folder}/${name}.img`);
      devices[name] = shell(`losetup --find --show ${lab.folder}/${name}.img`).trim();
    }
    shell(`mount -t tmpfs tmpfs /mnt/boot; mkdir -p /mnt/boot/A /mnt/boot/minke /mnt/boot/loader/entries`);
    const entry = loaderEntry({ slot: 'A', title: 'Minke OS', version: '1.0', generation: 1, commandLine: ['quiet'] });
    for (const [path, content] of Object.entries({ 'loader/loader.conf': loaderConf, 'loader/entries/minke-a.conf': entry, 'A/kernel': 'kernel 1.0', 'boot.scr': 'script 1.0', 'owners.bin': 'mine', 'minke/shared.json': JSON.stringify({ 'boot.scr': sha256('script 1.0'), 'owners.bin': sha256('1.0') }) })) lab.run(['sh', '-c', `cat >/mnt/boot/${path}`], content);
    shell(`mount -o remount,ro /mnt/boot; echo board >/run/minke/machine`);
    for (const slot of ['A', 'B']) shell(`basename ${devices[slot]} >/run/minke/root-${slot}`);
    shell(`echo 'VERSION_ID="1.0"' >/run/minke/os-release; mount --bind /run/minke/os-release /etc/os-release`);
  });
  afterAll(() => {
    lab.run(['umount', '/mnt/boot']);
    for (const device of Object.values(devices)) lab.run(['losetup', '-d', device]);
  });

  it('are refused by a machine that runs something else', () => {
    for (const words of [['status'], ['update', '/missing.os.tar'], ['rollback'], ['commit']]) expect(minke('os', ...words)).toMatchObject({ code: 1, stderr: notHere });
    shell('echo A >/run/minke/slot');
    expect(status()).toMatchObject({ slot: 'A', next: 'A', trial: false, update: null });
  });

  it('write root, kernel and initrd into the other slot by the release’s own program, and have it tried', () => {
    const { archive, root, kernel } = release('1.1');
    const done = minke('os', 'update', archive);
    expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining('release 1.1 is tried at the next start') });
    expect(status()).toMatchObject({ slot: 'A', next: 'B', update: { phase: 'armed' } });
    expect(shell(`head -c ${root.length} ${devices['B']} | sha256sum`)).toContain(sha256(root));
    expect(shell('sha256sum </mnt/boot/B/kernel')).toContain(sha256(kernel));
    expect(shell('cat /mnt/boot/loader/entries/minke-b+1.conf')).toContain('options  quiet minke.trial minke.slot=B\n');
    expect(shell('cat /mnt/boot/boot.scr')).toBe('script 1.0');
    expect(shell('findmnt -n -o OPTIONS /mnt/boot')).toMatch(/^ro,/);
    expect(lab.ok('ps', '-aq'), 'no container is left').toBe('');
    expect(shell('cd /mnt/data; find * -type f | sort')).toBe('minke-os-shared/files/boot.scr\nminke-os-shared/files/owners.bin\nminke-os-shared/list.json\n');
  });

  it('wait for applications that have locked a file, say which, and can be told not to', async () => {
    shell(`mkdir -p /run/minke/locks ${lab.folder}/bin; printf '#!/bin/sh\\necho "$@" >>${lab.folder}/restarts\\n' >${lab.folder}/bin/systemctl; chmod +x ${lab.folder}/bin/systemctl`);
    const restart = (...words: string[]) => lab.run(['env', `PATH=${lab.folder}/bin:${process.env['PATH']}`, binary, 'os', 'restart', ...words]);
    const locks = () => (JSON.parse(minke('os', 'status', '--format', 'json').stdout) as { locks: { file: string; holders: { program: string }[] }[] }).locks;
    const file = '/run/minke/locks/app/updates.lock';
    // The container sees the folder under a name of its own choice.
    lab.ok('run', '-d', '--name', 'app', '-v', '/run/minke/locks/app:/tmp/balena', '-v', '/usr:/usr:ro', '-v', '/lib:/lib:ro', '-v', '/lib64:/lib64:ro', IMAGE, '/usr/bin/flock', '/tmp/balena/updates.lock', 'sleep', '1000');
    await waitFor(() => locks().length === 1);
    expect(locks()).toMatchObject([{ file, holders: [{ program: expect.stringMatching(/^(flock|sleep)$/) }] }]);
    expect(minke('os', 'status').stdout).toMatch(/^lock: {5}\/run\/minke\/locks\/app\/updates\.lock is locked by \w+ \(process \d+\) of container app$/m);
    expect(restart('--lock-timeout', '2s')).toMatchObject({ code: 75, stdout: expect.stringContaining('of container app'), stderr: expect.stringContaining('not restarted') });
    expect(restart('--override-locks').code).toBe(0);
    // A file that is there and locked by nobody holds nothing off; a container that was killed has no lock.
    const waiting = lab.spawn(['env', `PATH=${lab.folder}/bin:${process.env['PATH']}`, binary, 'os', 'restart', '--lock-timeout', '60s']);
    const ended = new Promise<number | null>((resolve) => waiting.once('exit', resolve));
    await new Promise((resolve) => waiting.stdout?.once('data', resolve));
    lab.ok('kill', 'app');
    expect(await ended).toBe(0);
    expect(locks()).toEqual([]);
    expect(shell(`ls ${file}; cat ${lab.folder}/restarts`)).toBe(`${file}\nreboot\nreboot\n`);
    lab.ok('rm', 'app');
    // A program of the host.
    const host = lab.spawn(['flock', '/run/minke/locks/host.lock', 'sleep', '1000']);
    await waitFor(() => locks().length === 1);
    expect(restart('--lock-timeout', '0s')).toMatchObject({ code: 75, stdout: expect.stringMatching(/host\.lock is locked by (flock|sleep) \(process \d+\)\n/) });
    host.kill('SIGKILL');
    shell('for pid in $(fuser /run/minke/locks/host.lock 2>/dev/null); do kill -9 $pid; done; true');
    await waitFor(() => locks().length === 0);
    expect(restart('--lock-timeout', '0s').code).toBe(0);
  });

  it('bring programs that change state once, before the release is kept', () => {
    // As systemd-boot and the initrd leave it.
    shell('mount -o remount,rw /mnt/boot; cd /mnt/boot/loader/entries; mv minke-b+1.conf minke-b+0-1.conf; mount -o remount,ro /mnt/boot; echo B >/run/minke/slot');
    shell(`echo 'VERSION_ID="1.1"' >/run/minke/os-release; mkdir -p /run/minke/over/upper/minke/migrations.d /run/minke/over/work; mount -t overlay overlay -o lowerdir=/usr/lib,upperdir=/run/minke/over/upper,workdir=/run/minke/over/work /usr/lib; mount --bind /run/minke/os-release /etc/os-release`);
    shell('mkdir -m 0750 /var/lib/net; chown 7:8 /var/lib/net; echo 1 >/var/lib/net/format; ln -s format /var/lib/net/link; chmod 0640 /var/lib/net/format; chown 7:9 /var/lib/net/format');
    shell(`cd /usr/lib/minke/migrations.d; echo /var/lib/net >10-net.folders; printf '#!/bin/sh\\n[ "$MINKE_FROM_VERSION $MINKE_TO_VERSION" = "1.0 1.1" ] || exit 1\\necho ran >>/run/minke/ran\\necho 2 >/var/lib/net/format; rm /var/lib/net/link; chmod 0777 /var/lib/net; mkdir /var/lib/net/new\\n' >10-net; chmod +x 10-net`);
    expect(minke('os', 'migrate')).toMatchObject({ code: 0, stdout: 'migration 10-net\n' });
    expect(minke('os', 'migrate')).toMatchObject({ code: 0, stdout: '' });
    expect(shell('cat /run/minke/ran /var/lib/net/format')).toBe('ran\n2\n');
    expect(minke('os', 'status').stdout).toContain('state:    changed by release 1.1; a rollback gives back /var/lib/net\n');
  });

  it('are kept by a system that starts a container', () => {
    expect(status()).toMatchObject({ slot: 'B', next: 'A', trial: true });
    expect(minke('os', 'settle', '--patience', '1')).toMatchObject({ code: 0, stdout: 'owners.bin of the boot partition stays as it is: no release put it there like that\nslot B works and is kept\n' });
    expect(shell('cd /mnt/boot; cat boot.scr owners.bin; ls . minke; ls /mnt/data')).toBe('script 1.1mine.:\nA\nB\nboot.scr\nloader\nminke\nowners.bin\n\nminke:\nshared.json\n');
    expect(shell('findmnt -n -o OPTIONS /mnt/boot')).toMatch(/^ro,/);
    expect(status()).toMatchObject({ slot: 'B', next: 'B', trial: false, update: { phase: 'kept' } });
    expect(shell('ls /mnt/boot/loader/entries')).toBe('minke-a.conf\nminke-b.conf\n');
    expect(shell('cat /mnt/boot/loader/entries/minke-b.conf')).toContain('options  quiet minke.slot=B\n');
    expect(lab.ok('images', '--format', '{{.Repository}}:{{.Tag}}')).toContain('minke-os/current:latest');
  });

  it('of what was not meant for it leave the other slot as it is', () => {
    const before = shell(`sha256sum <${devices['A']}; ls -R /mnt/boot`);
    expect(minke('os', 'update', release('1.2', 'toaster').archive)).toMatchObject({ code: 1, stderr: expect.stringContaining('is for toaster') });
    expect(minke('os', 'update', release('0.9').archive)).toMatchObject({ code: 1, stderr: expect.stringContaining('older than 1.1') });
    expect(minke('os', 'update', join(lab.folder, 'missing.os.tar'))).toMatchObject({ code: 1, stderr: expect.stringContaining('no such file') });
    const { archive } = release('1.3');
    const bytes = readFileSync(archive);
    bytes[1_500_000] = (bytes[1_500_000] ?? 0) ^ 1;
    writeFileSync(archive, bytes);
    expect(minke('os', 'update', archive).code).toBe(1);
    expect(shell(`sha256sum <${devices['A']}; ls -R /mnt/boot`)).toBe(before);
    expect(status()).toMatchObject({ slot: 'B', next: 'B', update: { phase: 'kept' } });
  });

  it('give state back as it was to the release that comes back', () => {
    expect(minke('os', 'rollback')).toMatchObject({ code: 0 });
    shell(`echo A >/run/minke/slot; echo 'VERSION_ID="1.0"' >/run/minke/os-release; rm -r /usr/lib/minke/migrations.d`);
    expect(minke('os', 'migrate')).toMatchObject({ code: 0, stdout: 'undoing what release 1.1 changed\n' });
    expect(shell('cd /var/lib/net; cat format; stat -c "%n %F %a %u:%g" . *')).toBe('1\n. directory 750 7:8\nformat regular file 640 7:9\nlink symbolic link 777 0:0\n');
    expect(minke('os', 'migrate')).toMatchObject({ code: 0, stdout: '' });
    expect(minke('os', 'settle', '--patience', '1')).toMatchObject({ code: 0 });
    expect(status()).toMatchObject({ slot: 'A', next: 'A', trial: false, update: { phase: 'rolled-back' } });
  });
});
