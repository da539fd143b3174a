import { text } from 'host:bytes';
import { createTarReader } from '../archive/index.ts';
import { EngineError, systemErrorCode } from '../error.ts';
import type { ByteSource } from '../ports/index.ts';
import type { Device } from './device.ts';
import type { OsEngine } from './engine.ts';
import { readRecord } from './record.ts';
import { compareVersions, readRelease, type Release } from './release.ts';
import type { Say } from './say.ts';
import { checkSignature } from './trust.ts';
import { update } from './update.ts';

export type OpenArchive = (path: string) => ByteSource & { close(): void };

/** Folder of a stick; the files are called as osbuild calls them. */
const FOLDER = 'minke';
/** File systems of sticks. What a stranger may plug in is mounted as these alone. */
const TYPES = ['vfat', 'exfat'];
const DOCUMENT_LIMIT_BYTES = 1024 * 1024;

/**
 * Takes the newest release for this machine from a stick, when it is newer than the one that runs, signed by a key that the device trusts, and not one that was tried before and did
 * not work: so a stick may stay where it is. Undefined when there is nothing to do.
 */
export async function updateFromStick(device: Device, engine: OsEngine, block: string, open: OpenArchive, say: Say): Promise<Release | undefined> {
  const { system: { files }, places } = device;
  const point = `${places.run}/stick-${block.slice(block.lastIndexOf('/') + 1)}`;
  leave(device, point); // one that was killed
  files.mkdirs(point, 0o700);
  if (!mountReadOnly(device, block, point)) {
    await say(`${block} is being read under its other name`);
    return undefined;
  }
  try {
    const found = newest(device, `${point}/${FOLDER}`);
    if (found === undefined) {
      await say(`the stick holds no release for ${device.machine} that is newer than ${device.version}: ${FOLDER}/minke-${device.machine}-VERSION.os.tar`);
      return undefined;
    }
    const last = readRecord(device);
    if (last?.toVersion === found.version && (last.phase === 'rolled-back' || last.phase === 'failed')) {
      await say(`release ${found.version} has been tried and did not work (${last.reason ?? 'no reason is known'}): it is not taken again by itself`);
      return undefined;
    }
    await checkBeginning(device, found, open);
    const archive = open(found.path);
    try {
      return (await update(device, engine, { source: { archive }, allowDowngrade: false, signed: true }, say)).release;
    } finally {
      archive.close();
    }
  } finally {
    leave(device, point);
  }
}

/** Before anything of the stick gets into the engine: what the archive says of itself, at its beginning. All of it is checked again when it has been loaded. */
async function checkBeginning(device: Device, { path, version }: { path: string; version: string }, open: OpenArchive): Promise<void> {
  const archive = open(path);
  try {
    const labels = await archiveLabels(archive);
    if (!checkSignature(device, labels)) throw new EngineError('forbidden', 'OS_NOT_TRUSTED', 'this device trusts no keys, and takes releases from sticks only when they are signed', { hint: 'osbuild key new makes a key (docs/updates.md)' });
    const release = readRelease(labels);
    if (release.machine !== device.machine) throw new EngineError('invalid', 'OS_WRONG_MACHINE', `the release is for ${release.machine}, this device is a ${device.machine}`);
    if (release.os.version !== version) throw new EngineError('invalid', 'OS_RELEASE_INVALID', `the release has version ${release.os.version}, and its file is named for ${version}`);
  } finally {
    archive.close();
  }
}

/** Labels of the image of an OCI archive as osbuild writes it: index, manifest and configuration before the layers. */
export async function archiveLabels(archive: ByteSource): Promise<Readonly<Record<string, string>>> {
  const reader = createTarReader(archive);
  const documents = new Map<string, unknown>();
  for (let entry = await reader.next(); entry !== null; entry = await reader.next()) {
    if (entry.type !== 'file') continue;
    if (entry.sizeBytes > DOCUMENT_LIMIT_BYTES) break;
    documents.set(entry.path, parse(await whole(reader.content, entry.sizeBytes)));
    const manifest = documents.get(blobPath(at(documents.get('index.json'), 'manifests', '0', 'digest')));
    const config = documents.get(blobPath(at(manifest, 'config', 'digest')));
    const labels = at(config, 'config', 'Labels');
    if (typeof labels === 'object' && labels !== null) return Object.fromEntries(Object.entries(labels).filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
  }
  throw new EngineError('invalid', 'OS_RELEASE_INVALID', 'the file is no OS image as osbuild writes it');
}

const blobPath = (digest: unknown): string => (typeof digest === 'string' ? `blobs/${digest.replace(':', '/')}` : '');

const at = (value: unknown, ...path: string[]): unknown => path.reduce<unknown>((inner, key) => (typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key) ? (inner as Record<string, unknown>)[key] : undefined), value);

function parse(document: string): unknown {
  try {
    return JSON.parse(document);
  } catch {
    return undefined;
  }
}

async function whole(content: ByteSource, sizeBytes: number): Promise<string> {
  const bytes = new Uint8Array(sizeBytes);
  let have = 0;
  for (let part = await content.read(); part !== null; part = await content.read()) {
    bytes.set(part, have);
    have += part.length;
  }
  return text(bytes);
}

/** By its name: what is in it is checked before it counts. */
function newest({ system: { files }, machine, version: present }: Device, folder: string): { path: string; version: string } | undefined {
  if (!files.exists(folder)) return undefined;
  const [prefix, suffix] = [`minke-${machine}-`, '.os.tar'];
  const versions = files.readdir(folder).flatMap(({ name, type }) => (type === 'file' && name.startsWith(prefix) && name.endsWith(suffix) ? [name.slice(prefix.length, -suffix.length)] : []));
  const [version] = versions.filter((one) => compareVersions(one, present) > 0).toSorted((a, b) => compareVersions(b, a));
  return version === undefined ? undefined : { path: `${folder}/${prefix}${version}${suffix}`, version };
}

/**
 * False where the same blocks are mounted by another name: mkfs.vfat and mformat write a partition table whose one entry is the whole stick, so that disk and
 * partition are both announced as the stick, at the same time.
 */
function mountReadOnly({ system: { files } }: Device, source: string, target: string): boolean {
  for (const type of TYPES) {
    try {
      files.mount({ source, target, type, flags: ['read-only', 'nosuid', 'nodev', 'noexec'], data: '' });
      return true;
    } catch (error) {
      const code = systemErrorCode(error) ?? '';
      if (code === 'EBUSY') return false;
      // Another type, or one that this kernel does not know.
      if (!['EINVAL', 'ENODEV'].includes(code)) throw error;
    }
  }
  throw new EngineError('invalid', 'OS_STICK', `${source} has no file system that is taken from a stick: ${TYPES.join(' or ')}`);
}

function leave({ system: { files } }: Device, point: string): void {
  try {
    files.unmount(point, 'lazily');
  } catch (error) {
    if (!['EINVAL', 'ENOENT'].includes(systemErrorCode(error) ?? '')) throw error;
  }
}
