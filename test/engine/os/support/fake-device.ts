// A device in memory: its files with every change counted, so that a power cut can be put between any two.
import { createHash } from 'node:crypto';

import type { Files } from '../../../../src/engine/ports/index.ts';
import { openDevice, type Device, type OsEngine } from '../../../../src/engine/os/index.ts';
import type { OsSystem, Places } from '../../../../src/engine/os/device.ts';
import type { Release } from '../../../../src/engine/os/release.ts';
import { createVerityTree } from '../../../../src/engine/verity/index.ts';
import { tarFile, tarFolder, tarOf } from '../../support/tar-writer.ts';

/** Room for a root of two blocks and its tree. */
export const PARTITION_BYTES = 4 * 4096;

export class PowerCut extends Error {}

/** Content by path; a folder is what has something below it, or stands in `folders`. */
export interface Disk {
  files: Map<string, Buffer>;
  folders: Set<string>;
}

const missing = (path: string): Error => Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });

/**
 * Files of a disk. `changesLeft` counts down with every change; at zero the power goes, and nothing changes any more: a write to a file that is not synced yet
 * is lost or torn (half of it is there), as `torn` says.
 */
export function memoryFiles(disk: Disk, power: { changesLeft: number; torn: boolean }): Files {
  const open = new Map<number, { path: string; position: number; writable: boolean }>();
  let nextFd = 3;
  const change = (what: () => void, partly?: () => void): void => {
    if (power.changesLeft <= 0) {
      if (power.changesLeft === 0 && power.torn) partly?.();
      power.changesLeft = -1;
      throw new PowerCut('the power went');
    }
    power.changesLeft -= 1;
    what();
  };
  const content = (path: string): Buffer => disk.files.get(path) ?? (() => { throw missing(path); })();
  const entry = (fd: number) => open.get(fd) ?? (() => { throw new Error(`descriptor ${fd} is not open`); })();
  const below = (path: string): string[] => [...disk.files.keys(), ...disk.folders].filter((one) => one.startsWith(`${path}/`));
  const exists = (path: string): boolean => disk.files.has(path) || disk.folders.has(path) || below(path).length > 0;
  const files: Partial<Files> = {
    exists,
    open(path, mode) {
      if (mode === 'create') change(() => void disk.files.set(path, Buffer.alloc(0)));
      else if (mode === 'read-write' && !disk.files.has(path)) change(() => void disk.files.set(path, Buffer.alloc(0)));
      else content(path);
      open.set(nextFd, { path, position: mode === 'append' ? content(path).length : 0, writable: mode !== 'read' });
      return nextFd++;
    },
    close: (fd) => void open.delete(fd),
    read(fd, into) {
      const file = entry(fd);
      const part = content(file.path).subarray(file.position, file.position + into.length);
      into.set(part);
      file.position += part.length;
      return part.length;
    },
    write(fd, data) {
      const file = entry(fd);
      const bytes = Buffer.from(typeof data === 'string' ? data : Uint8Array.from(data));
      const put = (part: Buffer): void => {
        const before = content(file.path);
        const gap = Buffer.alloc(Math.max(0, file.position - before.length));
        disk.files.set(file.path, Buffer.concat([before.subarray(0, file.position), gap, part, before.subarray(file.position + part.length)]));
        file.position += part.length;
      };
      change(() => put(bytes), () => put(bytes.subarray(0, bytes.length >> 1)));
    },
    seek: (fd, position) => void (entry(fd).position = position),
    // A partition is as long as ever, whatever was written.
    lengthOf: (fd) => (entry(fd).path.startsWith('/dev/') ? PARTITION_BYTES : content(entry(fd).path).length),
    fsync: async () => undefined,
    writeOut: async (fds) => fds.forEach((fd) => open.delete(fd)),
    tryLock: () => true,
    stat: (path) => ({ type: disk.files.has(path) ? 'file' : 'directory', mode: 0, uid: 0, gid: 0, sizeBytes: disk.files.get(path)?.length ?? (exists(path) ? 0 : content(path).length), mtimeSeconds: 0, mtimeNanoseconds: 0, linkCount: 1, inode: 1n, rdevMajor: 0, rdevMinor: 0 }),
    lstat: (path) => ({ ...files.stat?.(path), inode: inodeOf(path) }) as ReturnType<Files['lstat']>,
    openRoot: (root) => ({ open: (path: string, mode: 'read') => files.open?.(`${root}/${path}`, mode), close: () => undefined }) as ReturnType<Files['openRoot']>,
    readText: (path) => content(path).toString('utf8'),
    writeText: (path, text) => change(() => void disk.files.set(path, Buffer.from(text))),
    readdir: (path) => [...new Set(below(path).map((one) => one.slice(path.length + 1).split('/')[0] ?? ''))].map((name) => ({ name, type: disk.files.has(`${path}/${name}`) ? 'file' : 'directory' })),
    copyTree: async (from, to) => {
      for (const one of below(from)) if (disk.files.has(one)) change(() => void disk.files.set(to + one.slice(from.length), content(one)));
    },
    chown: () => undefined,
    chmod: () => undefined,
    syncDirectory: async () => undefined,
    mkdirs: (path) => void disk.folders.add(path),
    unlink: (path) => change(() => void (disk.files.delete(path) || (() => { throw missing(path); })())),
    rename: (from, to) => change(() => {
      if (disk.files.has(from)) {
        disk.files.set(to, content(from));
        disk.files.delete(from);
        return;
      }
      // A folder, with all that is in it; one that is there has to be empty (rename(2)).
      if (below(to).some((one) => disk.files.has(one))) throw Object.assign(new Error(`ENOTEMPTY: ${to}`), { code: 'ENOTEMPTY' });
      for (const one of below(from)) {
        const moved = to + one.slice(from.length);
        const whole = disk.files.get(one);
        if (whole === undefined) disk.folders.add(moved);
        else disk.files.set(moved, whole);
        disk.files.delete(one);
        disk.folders.delete(one);
      }
    }),
    replaceFile: async (path, text) => change(() => void disk.files.set(path, Buffer.from(text))),
    removeTree: async (path) => {
      if (disk.files.has(path)) change(() => void disk.files.delete(path));
      for (const one of below(path)) if (disk.files.has(one)) change(() => void disk.files.delete(one));
      for (const one of [path, ...below(path)]) disk.folders.delete(one);
    },
    makeFifo: (path) => void disk.files.set(path, Buffer.alloc(0)),
    syncFileSystem: async () => undefined,
    mount: () => undefined,
  };
  return files as Files;
}

export const places: Places = { run: '/run/minke', boot: '/boot', state: '/state/os', work: '/data/os', osRelease: '/etc/os-release', devices: '/dev', keys: '/keys', checks: '/checks', base: '/run/minke/base', shared: '/data/shared', migrations: '/migrations', locks: '/locks', firmware: '/firmware' };

/** Of a path, always the same. */
export const inodeOf = (path: string): bigint => BigInt(`0x${createHash('sha256').update(path).digest('hex').slice(0, 8)}`);

export const script = (version: string): string => `script ${version} `.repeat(100);

/** A release of two layers, and its image as `docker save` gives it. `partition`: its root as it stands in a slot, with the hash tree behind it. */
export function release(version: string, machine = 'board', { withTree = true } = {}): { release: Release; save: Buffer; root: Buffer; partition: Buffer; kernel: string } {
  const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  const kernel = `kernel ${version} `.repeat(200);
  const root = tarOf([tarFile('etc/os-release', `VERSION_ID=${version}\n`)]);
  const boot = tarOf([tarFolder('boot'), tarFile('boot/kernel', kernel), tarFolder('boot/dtb'), tarFile('boot/dtb/a.dtb', `tree ${version}`), tarFile('boot/initrd', `initrd ${version}`), tarFolder('shared'), tarFile('shared/boot.scr', script(version)), tarFolder('shared/EFI'), tarFile('shared/EFI/loader.efi', `loader ${version}`)]);
  const made = Buffer.concat([Buffer.alloc(4096, `root of ${version}`), Buffer.alloc(2048), Buffer.alloc(2048, version)]);
  const builder = createVerityTree(2, Buffer.from(sha256(made), 'hex'), (salt, block) => createHash('sha256').update(salt).update(block).digest());
  builder.add(made);
  const { tree, rootHash } = builder.finish();
  return {
    kernel,
    root: made,
    partition: withTree ? Buffer.concat([made, tree]) : made,
    release: {
      machine, os: { name: 'Minke OS', id: 'minke', version }, mode: 'production', commandLine: ['console=tty0', 'quiet'], loader: 'systemd-boot',
      slot: { argv: ['mkfs'], sha256: sha256(made), sizeBytes: made.length, ...(withTree ? { verity: { rootHash, salt: sha256(made), dataBlocks: 2, hashStart: 2 } } : {}) }, layers: { root: sha256(root), boot: sha256(boot) },
    },
    save: tarOf([tarFile(`blobs/sha256/${sha256(root)}`, root), tarFile(`blobs/sha256/${sha256(boot)}`, boot), tarFile('index.json', '{}')]),
  };
}

/** An engine that holds releases by their id, and whose programs write a root where they are told to. */
export function fakeEngine(disk: Disk, power: { changesLeft: number; torn: boolean }, releases: Record<string, ReturnType<typeof release>>, healthy = (): boolean => true): OsEngine & { names: Map<string, string>; removed: string[] } {
  const names = new Map<string, string>();
  const removed: string[] = [];
  const files = memoryFiles(disk, power);
  return {
    names,
    removed,
    load: async () => Object.keys(releases).at(-1) ?? '',
    pull: async (reference) => reference,
    labels: async (id) => (releases[id] === undefined ? undefined : { 'io.minke.os.release': JSON.stringify({ format: 1, ...releases[id].release }) }),
    name: async (id, name) => void names.set(name, id),
    find: async (name) => names.get(name),
    containerName: async () => undefined,
    remove: async (id) => {
      for (const [name, of] of names) if (of === id) names.delete(name);
      removed.push(id);
    },
    save: async (id) => {
      const parts = [releases[id]?.save ?? Buffer.alloc(0)];
      return { read: async () => parts.shift() ?? null, close: () => undefined };
    },
    async start({ imageId, devices }) {
      return {
        running: async () => true,
        async end() {
          if (devices.length === 0) return { status: healthy() ? 0 : 1, output: '' };
          const root = releases[imageId]?.root ?? Buffer.alloc(0);
          // In pieces, over what stood there; as mkfs.erofs does, it leaves out what is to be zeros.
          for (const { host } of devices) {
            const fd = files.open(host, 'read-write');
            for (let at = 0; at < root.length; at += 2048) {
              const piece = root.subarray(at, at + 2048);
              files.seek(fd, at);
              if (piece.some((byte) => byte !== 0)) files.write(fd, piece);
            }
            files.close(fd);
          }
          return { status: 0, output: '' };
        },
        abandon: async () => undefined,
      };
    },
  };
}

export function fakeDevice(disk: Disk, power: { changesLeft: number; torn: boolean }): Device {
  const files = memoryFiles(disk, power);
  let now = 0;
  const system = {
    files,
    clock: { now: () => Date.UTC(2026, 10, 1), monotonicMs: () => (now += 1000), after: (_: number, callback: () => void) => (queueMicrotask(callback), () => undefined) },
    sockets: { adopt: () => ({ write: async () => undefined, close: () => undefined }) },
    processes: {},
  } as unknown as OsSystem;
  return openDevice(system, places);
}

/** What the initrd leaves word of after a start from a slot. */
export function started(disk: Disk, slot: 'A' | 'B', version: string): void {
  const put = (path: string, text: string): void => void disk.files.set(path, Buffer.from(text));
  for (const path of [...disk.files.keys()]) if (path.startsWith('/run/')) disk.files.delete(path);
  put('/run/minke/slot', `${slot}\n`);
  put('/run/minke/machine', 'board\n');
  put('/run/minke/root-A', 'vda2\n');
  put('/run/minke/root-B', 'vda3\n');
  put('/etc/os-release', `ID=minke\nVERSION_ID="${version}"\n`);
}
