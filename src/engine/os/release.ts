import { EngineError } from '../error.ts';
import { checkedVerity, VERITY_BLOCK_BYTES, type Verity } from '../verity/index.ts';

/** Label that holds a release's description. The writer: src/image/release.ts. */
export const RELEASE_LABEL = 'io.minke.os.release';

export interface Release {
  machine: string;
  os: { name: string; id: string; version: string };
  mode: string;
  commandLine: string[];
  loader: 'systemd-boot' | 'u-boot';
  /** The program that makes the root of the first layer's archive, up to the file that it writes. `verity`: the hash tree behind it; releases from before there was one have none. */
  slot: { argv: string[]; sha256: string; sizeBytes: number; verity?: Verity };
  /** Kernel, initrd and command lines are one signed program; SHA-256 of the certificate (DER) that a firmware with Secure Boot has to know for it. */
  unified?: { certificate: string };
  /** SHA-256 of the archives of the layers. */
  layers: { root: string; boot: string };
}

/** Reads the description. Throws EngineError 'OS_RELEASE_INVALID' for what is no OS image, or one for newer devices. */
export function readRelease(labels: Readonly<Record<string, string>>): Release {
  const text = labels[RELEASE_LABEL];
  if (text === undefined) throw invalid('this image is no OS image: it has no release description', 'osbuild image writes one beside the disk image (….os.tar)');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('the release description is not JSON');
  }
  const release = record(value, 'the release');
  if (release['format'] !== 1 && release['format'] !== 2) throw invalid(`the release description has format ${JSON.stringify(release['format'])}, which this system does not know`, 'update to a release in between first');
  const [os, slot, layers] = [record(release['os'], 'os'), record(release['slot'], 'slot'), record(release['layers'], 'layers')];
  const loader = release['loader'];
  if (loader !== 'systemd-boot' && loader !== 'u-boot') throw invalid('the release names no boot loader');
  // What tells the formats apart: devices that know the first alone would start such a kernel in the way of the others.
  const unified = release['format'] === 2 ? record(release['unified'], 'unified') : undefined;
  const sizeBytes = slot['sizeBytes'];
  if (typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes) || sizeBytes <= 0) throw invalid('the release has no size of its root');
  return {
    machine: text1(release['machine'], 'machine'),
    os: { name: text1(os['name'], 'os.name'), id: text1(os['id'], 'os.id'), version: text1(os['version'], 'os.version') },
    mode: text1(release['mode'], 'mode'),
    commandLine: texts(release['commandLine'], 'commandLine'),
    loader,
    slot: { argv: texts(slot['argv'], 'slot.argv'), sha256: digest(slot['sha256'], 'slot.sha256'), sizeBytes, ...(slot['verity'] === undefined ? {} : { verity: verity(slot['verity'], sizeBytes) }) },
    ...(unified === undefined ? {} : { unified: { certificate: digest(unified['certificate'], 'unified.certificate') } }),
    layers: { root: digest(layers['root'], 'layers.root'), boot: digest(layers['boot'], 'layers.boot') },
  };
}

function record(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${name} of the release is not an object`);
  return value as Record<string, unknown>;
}

/** One line: it goes into files of the boot loader. */
function text1(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '' || value.length > 4096 || /[\n\r\0]/.test(value)) throw invalid(`${name} of the release is not a line of text`);
  return value;
}

function texts(value: unknown, name: string): string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > 256) throw invalid(`${name} of the release is not a list`);
  return value.map((item: unknown) => text1(item, name));
}

function digest(value: unknown, name: string): string {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw invalid(`${name} of the release is not a SHA-256`);
  return value;
}

function verity(value: unknown, sizeBytes: number): Verity {
  const checked = checkedVerity(record(value, 'slot.verity'));
  if (checked === undefined || checked.dataBlocks * VERITY_BLOCK_BYTES !== sizeBytes) throw invalid('slot.verity of the release describes no hash tree behind its root');
  return checked;
}

const invalid = (message: string, hint?: string): EngineError => new EngineError('invalid', 'OS_RELEASE_INVALID', message, hint === undefined ? {} : { hint });

/** Order of two versions: runs of digits as numbers, the rest as text, and `~` before everything, as dpkg has it. */
export function compareVersions(a: string, b: string): number {
  const parts = (version: string): string[] => version.match(/\d+|~|[^\d~]+/g) ?? [];
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const [x, y] = [left[i], right[i]];
    if (x === y) continue;
    if (x === '~') return -1;
    if (y === '~') return 1;
    if (x === undefined) return -1;
    if (y === undefined) return 1;
    const [nx, ny] = [Number(x), Number(y)];
    if (!Number.isNaN(nx) && !Number.isNaN(ny)) {
      if (nx !== ny) return nx - ny;
      continue;
    }
    return x < y ? -1 : 1;
  }
  return 0;
}
