import { sha256 } from 'host:crypto';
import { EngineError, messageOf, systemErrorCode } from '../error.ts';
import { lendImage, parseImageConfig } from '../images/index.ts';
import { rootDevice, type Device } from './device.ts';
import type { OsEngine } from './engine.ts';
import { readRelease } from './release.ts';
import { checkSignature } from './trust.ts';
import type { Say } from './say.ts';

/** image.json of a slot that was flashed. The writer: src/image/factory-image.ts. */
interface FactoryImage {
  format: 1;
  layers: { diffId: string; sizeBytes: number; record: string }[];
}

/** Folder of a slot's folder on the boot partition. */
const FOLDER = 'image';

/**
 * A device that was flashed has no image of its release in the engine's store. Its files are all there, though: the root is the slot that runs, the other layer its
 * folder of the boot partition. They are mounted below one folder as another engine's layers (`--delta-data-root` of the engine's unit), so that an update is a delta to them:
 * nothing is copied. The result takes it away again; undefined where there is nothing to lend, or it is not needed.
 */
export async function lendRunningImage(device: Device, engine: OsEngine, say: Say): Promise<{ close(): Promise<void> } | undefined> {
  const { system: { files }, places, running } = device;
  const kept = `${places.boot}/${running}/${FOLDER}`;
  await takeBack(device);
  if (!files.exists(`${kept}/image.json`)) return undefined;
  try {
    const configText = files.readText(`${kept}/config.json`);
    const id = `sha256:${sha256(configText)}`;
    if ((await engine.labels(id)) !== undefined) return undefined;
    const { layers } = checked(device, configText, files.readText(`${kept}/image.json`));
    const [root, boot] = await lendImage(files, places.base, { id, configText, layers: layers.map(({ diffId, sizeBytes, record }) => ({ diffId, tarBytes: sizeBytes, record: `${kept}/${record}` })) });
    // A mount of its own: nothing of the running system lies over it.
    files.mount({ source: rootDevice(device), target: root ?? '', type: 'erofs', flags: ['read-only', 'nosuid', 'nodev', 'noexec'], data: '' });
    for (const [name, source] of [['boot', `${places.boot}/${running}`], ['shared', places.boot]] as const) {
      files.mkdirs(`${boot}/${name}`);
      files.mount({ source, target: `${boot}/${name}`, type: '', flags: ['bind'], data: '' });
    }
    return { close: () => takeBack(device) };
  } catch (error) {
    await say(`note: the release that runs cannot be the base of a delta: ${messageOf(error)}`);
    await takeBack(device);
    return undefined;
  }
}

/** Image of the release that runs, where it was flashed; undefined where an update brought it. */
export function factoryImageId({ system: { files }, places, running }: Device): string | undefined {
  const path = `${places.boot}/${running}/${FOLDER}/config.json`;
  return files.exists(path) ? `sha256:${sha256(files.readText(path))}` : undefined;
}

/** What the boot partition says of the running release has to be that release's: as it was signed, and of these layers. A delta checks what it makes by itself. */
function checked(device: Device, configText: string, imageText: string): FactoryImage {
  const config = parseImageConfig(configText);
  const labels = config.config?.Labels ?? {};
  checkSignature(device, labels);
  const release = readRelease(labels);
  const image = JSON.parse(imageText) as FactoryImage | null;
  const diffIds = [`sha256:${release.layers.root}`, `sha256:${release.layers.boot}`];
  const same = image?.format === 1 && [image.layers.map(({ diffId }) => diffId), config.rootfs.diff_ids].every((list) => list.join() === diffIds.join());
  if (!same || image.layers.some(({ record, sizeBytes }) => !/^[\w.-]+$/.test(record) || !Number.isSafeInteger(sizeBytes))) throw new EngineError('invalid', 'OS_RELEASE_INVALID', 'its description does not fit its layers');
  if (release.machine !== device.machine || release.os.version !== device.version) throw new EngineError('invalid', 'OS_RELEASE_INVALID', `slot ${device.running} was flashed with release ${release.os.version}, and ${device.version} runs`);
  return image;
}

/** Also what one that was killed has left. */
async function takeBack({ system: { files }, places }: Device): Promise<void> {
  const layers = `${places.base}/layers`;
  if (files.exists(layers)) {
    for (const { name } of files.readdir(layers)) for (const below of ['/boot', '/shared', '']) unmount(files, `${layers}/${name}/diff${below}`);
  }
  await files.removeTree(places.base);
}

function unmount(files: Device['system']['files'], target: string): void {
  try {
    files.unmount(target, 'lazily');
  } catch (error) {
    // No mount, or no folder.
    if (!['EINVAL', 'ENOENT'].includes(systemErrorCode(error) ?? '')) throw error;
  }
}
