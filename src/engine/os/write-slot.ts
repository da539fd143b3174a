import { Sha256 } from 'host:crypto';
import { createTarReader, hashed, type TarReader } from '../archive/index.ts';
import { EngineError, systemErrorCode } from '../error.ts';
import { sleep, type ByteSource } from '../ports/index.ts';
import { slotDevice, type Device } from './device.ts';
import { digestOf } from './digest.ts';
import type { OsEngine, RunningProgram } from './engine.ts';
import type { Release } from './release.ts';
import type { Say } from './say.ts';
import { dropStaged, noteStaged, SHARED_PREFIX, sharedPath, stagedFile } from './shared-files.ts';
import type { Slot } from './slots.ts';
import { releaseTree, writeTree } from './verity.ts';

const PIPE = 'root.tar';
const INSIDE = '/update';
const BOOT_PREFIX = 'boot/';
const OPEN_PATIENCE_MS = 120_000;
const ZEROS_BYTES = 1024 * 1024;

/**
 * Writes a release into a slot that does not run: its own mkfs.erofs makes the root of the layer's archive right on the partition, the second layer's
 * files become the slot's folder on the boot partition; then both are read back from the device, and the hash tree of what was read is put behind the root. Throws when anything is not as the release says.
 */
export async function writeSlot(device: Device, engine: OsEngine, imageId: string, release: Release, slot: Slot, say: Say): Promise<void> {
  const { system: { files }, places, boot } = device;
  const target = slotDevice(device, slot);
  await say(`emptying slot ${slot}`);
  await emptySlot(device, target, release.slot.sizeBytes);
  await files.removeTree(places.work);
  files.mkdirs(places.work, 0o700);
  files.makeFifo(`${places.work}/${PIPE}`, 0o600);
  const program = await engine.start({
    imageId,
    argv: ['/bin/sh', '-c', `exec "$@" <${INSIDE}/${PIPE}`, 'sh', ...release.slot.argv, '/dev/slot'],
    environment: [`TMPDIR=${INSIDE}`],
    binds: [`${places.work}:${INSIDE}`],
    devices: [{ host: target, inside: '/dev/slot' }],
  });
  let digests: Map<string, string> | undefined;
  let ended = false;
  try {
    const archive = await engine.save(imageId);
    try {
      const reader = createTarReader(archive);
      for (let entry = await reader.next(); entry !== null; entry = await reader.next()) {
        if (entry.path.endsWith(release.layers.root)) {
          await say(`writing the root of slot ${slot}`);
          await feed(device, reader.content, program);
        } else if (entry.path.endsWith(release.layers.boot)) {
          await say(`writing kernel and initrd of slot ${slot}`);
          digests = await boot.writing(() => writeBootFiles(device, reader, release, slot)).catch(fullPartition);
        }
      }
    } finally {
      archive.close();
    }
    const { status, output } = await program.end();
    ended = true;
    if (status !== 0) throw new EngineError('internal', 'OS_SLOT_WRITE', `the root of slot ${slot} could not be written (${release.slot.argv[0]} ended with ${status}): ${output.trim()}`);
    if (digests === undefined) throw new EngineError('invalid', 'OS_RELEASE_INVALID', 'the image lacks the layer of boot files that its release names');
  } finally {
    if (!ended) await program.abandon();
    await files.removeTree(places.work);
  }
  await say('reading back what was written');
  await verifyRoot(device, target, release);
  await verifyBootFiles(device, slot, digests);
}

/**
 * Zeros where the root is to stand. mkfs.erofs discards the whole partition and takes what it leaves out for zeros; but discarded sectors are whatever the medium makes of them
 * (SD cards: ones or zeros, DATA_STAT_AFTER_ERASE of the SCR), and where nothing can be discarded the last root stands there. So this is written, and the program's discard is refused.
 */
async function emptySlot({ system: { files } }: Device, target: string, sizeBytes: number): Promise<void> {
  const fd = files.open(target, 'read-write');
  try {
    const zeros = new Uint8Array(Math.min(ZEROS_BYTES, sizeBytes));
    for (let left = sizeBytes; left > 0; left -= zeros.length) files.write(fd, zeros.subarray(0, Math.min(left, zeros.length)));
    await files.fsync(fd);
  } finally {
    files.close(fd);
  }
}

/** Gives the archive to the program through the pipe, which it opens when it has started. */
async function feed({ system: { files, sockets, clock }, places }: Device, source: ByteSource, program: RunningProgram): Promise<void> {
  let fd: number | undefined;
  for (const until = clock.monotonicMs() + OPEN_PATIENCE_MS; fd === undefined; ) {
    try {
      fd = files.open(`${places.work}/${PIPE}`, 'write-nonblocking');
    } catch (error) {
      // Nobody reads yet.
      if (systemErrorCode(error) !== 'ENXIO') throw error;
      // What it says is found when its end is looked at.
      if (clock.monotonicMs() > until || !(await program.running())) return;
      await sleep(clock, 100);
    }
  }
  const pipe = sockets.adopt(fd);
  try {
    for (let part = await source.read(); part !== null; part = await source.read()) await pipe.write(part);
  } catch (error) {
    if (systemErrorCode(error) !== 'EPIPE') throw error;
  } finally {
    pipe.close();
  }
}

/** SHA-256 of each file, by its path in the slot's folder. */
async function writeBootFiles(device: Device, outer: TarReader, release: Release, slot: Slot): Promise<Map<string, string>> {
  const { system: { files }, boot } = device;
  const folder = `${boot.path}/${slot}`;
  await files.removeTree(folder);
  files.mkdirs(folder);
  await dropStaged(device);
  const shared: Record<string, string> = {};
  const layer = hashed(outer.content);
  const reader = createTarReader(layer);
  const digests = new Map<string, string>();
  for (let entry = await reader.next(); entry !== null; entry = await reader.next()) {
    if (entry.path.startsWith(SHARED_PREFIX) && entry.type === 'file') {
      const path = sharedPath(entry.path);
      const target = stagedFile(device, path);
      files.mkdirs(target.slice(0, target.lastIndexOf('/')), 0o700);
      shared[path] = await writeFile(files, target, reader.content);
      continue;
    }
    if (!entry.path.startsWith(BOOT_PREFIX)) continue;
    const path = entry.path.slice(BOOT_PREFIX.length);
    if (path === '' || path.split('/').some((part) => part === '..' || part === '.' || (part === '' && entry.type !== 'directory'))) continue;
    if (entry.type === 'directory') {
      files.mkdirs(`${folder}/${path}`);
      continue;
    }
    if (entry.type !== 'file') throw new EngineError('invalid', 'OS_RELEASE_INVALID', `${entry.path} of the release is no file: the boot partition holds nothing else`);
    digests.set(path, await writeFile(files, `${folder}/${path}`, reader.content));
  }
  await reader.drain();
  if (layer.hex() !== release.layers.boot) throw new EngineError('invalid', 'OS_RELEASE_INVALID', 'the boot files are not those that the release names', { hint: 'remove the image and take the update again' });
  await noteStaged(device, { version: release.os.version, files: shared });
  return digests;
}

function fullPartition(error: unknown): never {
  if (systemErrorCode(error) !== 'ENOSPC') throw error;
  throw new EngineError('internal', 'OS_BOOT_FULL', 'the boot partition has no room for kernel and initrd of the release', { hint: 'remove what is yours from it; nothing was changed for the release that runs', cause: error });
}

async function writeFile(files: Device['system']['files'], path: string, content: ByteSource): Promise<string> {
  const hash = new Sha256();
  const fd = files.open(path, 'create');
  let open = true;
  try {
    for (let part = await content.read(); part !== null; part = await content.read()) {
      hash.update(part);
      files.write(fd, part);
    }
    await files.fsync(fd);
    open = false;
    // Out of memory, so that it is read back from the device.
    await files.writeOut([fd]);
  } finally {
    if (open) files.close(fd);
  }
  return hash.hex();
}

async function verifyRoot({ system: { files } }: Device, target: string, release: Release): Promise<void> {
  const fd = files.open(target, 'read-write');
  await files.fsync(fd);
  await files.writeOut([fd]);
  const { sizeBytes, sha256, verity } = release.slot;
  const tree = verity === undefined ? undefined : releaseTree(verity);
  if (digestOf(files, target, sizeBytes, { each: (bytes) => tree?.add(bytes) }) !== sha256) {
    throw new EngineError('internal', 'OS_SLOT_DAMAGED', `what ${target} gives back is not the root of the release`, { hint: 'try again; when it happens again, the medium is worn out, or the release was not made by the same mkfs.erofs' });
  }
  if (verity !== undefined && tree !== undefined) await writeTree(files, target, verity, tree);
}

async function verifyBootFiles({ system: { files }, boot }: Device, slot: Slot, digests: ReadonlyMap<string, string>): Promise<void> {
  for (const [path, expected] of digests) {
    const file = `${boot.path}/${slot}/${path}`;
    if (digestOf(files, file, files.stat(file).sizeBytes) !== expected) throw new EngineError('internal', 'OS_SLOT_DAMAGED', `${file} is not what was written`, { hint: 'try again; when it happens again, the medium is worn out' });
  }
}
