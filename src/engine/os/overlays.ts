import { EngineError } from '../error.ts';
import type { Files } from '../ports/index.ts';
import type { BootPartition } from './boot-partition.ts';
import type { Device } from './device.ts';
import { hasDefaultRoute, hasVpn } from './health.ts';
import { ubootVariables } from './u-boot-variables.ts';

/** For boot.scr, see src/image/uboot-overlays.ts. */
const FILE = 'minke/overlays.env';
/** The tree that this system was started with. */
const TREE = '/sys/firmware/devicetree/base';
const COMMAND_LINE = '/proc/cmdline';
const NO_TREE = 'this board is not started by U-Boot with a device tree';

/** What the loader is to apply, and what it is known to come to. */
interface OverlaySet {
  names: string[];
  /** 1: the next start tries it. 0: a start has tried it. kept: such a start worked. */
  tries: '1' | '0' | 'kept';
  /** What worked when the set was made, and so has to work with it. */
  before: { network: boolean; vpn: boolean };
}

/** What became of an overlay. */
export interface OverlayStatus {
  name: string;
  applied: boolean;
  /** Why it is not as config.json has it. */
  reason?: string;
}

/**
 * Has the loader apply these overlays: once, until a start with them has proved to work. A set that the loader has already, in whatever state, stays as it is.
 * Throws EngineError 'NO_DEVICE_TREE' for overlays of a board that has none.
 */
export async function wantOverlays(files: Files, boot: BootPartition, names: readonly string[]): Promise<void> {
  const present = readSet(files, boot.path);
  if (names.length === 0) {
    if (files.exists(`${boot.path}/${FILE}`)) await boot.writing(async () => files.unlink(`${boot.path}/${FILE}`));
    return;
  }
  if (!appliesOverlays(files, boot.path)) throw new EngineError('invalid', 'NO_DEVICE_TREE', `os.deviceTree.overlays: ${NO_TREE}`, { hint: 'take the key out' });
  if (present?.names.join(' ') === names.join(' ')) return;
  await boot.writing(() => boot.put(FILE, textOf({ names: [...names], tries: '1', before: { network: hasDefaultRoute(files), vpn: hasVpn(files) } })));
}

/** The set that this start tries; undefined when it tries none. */
export function overlaysOnTrial({ system: { files }, boot }: Pick<Device, 'system' | 'boot'>): OverlaySet | undefined {
  const set = readSet(files, boot.path);
  return set?.tries === '0' && thisStart(files) !== undefined ? set : undefined;
}

/** Applied at every start from now on. */
export async function keepOverlays({ boot }: Pick<Device, 'boot'>, set: OverlaySet): Promise<void> {
  await boot.writing(() => boot.put(FILE, textOf({ ...set, tries: 'kept' })));
}

/** Every overlay that is wanted or applied; `wanted`: those of config.json. */
export function overlayStatus({ system: { files }, boot }: Pick<Device, 'system' | 'boot'>, wanted: readonly string[]): OverlayStatus[] {
  const set = readSet(files, boot.path);
  const start = thisStart(files);
  const names = [...new Set([...wanted, ...(set?.names ?? []), ...(start?.applied ?? []), ...(start?.refused ?? [])])];
  return names.map((name) => {
    const left = set?.names.includes(name) !== true;
    if (start?.applied.includes(name) === true) return { name, applied: true, ...(left ? { reason: 'not from the next start on' } : {}) };
    return { name, applied: false, reason: appliesOverlays(files, boot.path) ? whyNot(name, set, left, start) : NO_TREE };
  });
}

function whyNot(name: string, set: OverlaySet | undefined, left: boolean, start: Started | undefined): string {
  if (set === undefined || left) return 'the boot loader could not be told of it: `journalctl -u minke-config -u minke-config-changed` says why';
  if (set.tries === '1') return 'the next start tries it, if the boot loader can write that down';
  if (start?.refused.includes(name) === true) return `overlays/${name}.dtbo is missing, damaged or does not fit the device tree, or this boot loader applies no overlays`;
  if (set.tries === '0') return 'a start with it did not prove to work; taken out of os.deviceTree.overlays and put there again, it is tried once more';
  return 'this start could not be made as usual: it has the plain device tree';
}

const appliesOverlays = (files: Pick<Files, 'exists'>, boot: string): boolean => files.exists(TREE) && files.exists(`${boot}/boot.scr`);

interface Started {
  applied: string[];
  refused: string[];
}

/** What the loader says of the overlays of this start; undefined where it was to apply none. */
function thisStart(files: Pick<Files, 'exists' | 'readText'>): Started | undefined {
  const words = files.exists(COMMAND_LINE) ? files.readText(COMMAND_LINE).trim().split(/\s+/) : [];
  const list = (name: string): string[] | undefined => words.findLast((word) => word.startsWith(`${name}=`))?.slice(name.length + 1).split(':').filter(Boolean);
  const applied = list('minke.overlays');
  return applied === undefined ? undefined : { applied, refused: list('minke.overlays-refused') ?? [] };
}

function readSet(files: Pick<Files, 'exists' | 'readText'>, boot: string): OverlaySet | undefined {
  const variables = ubootVariables(files, `${boot}/${FILE}`);
  const names = variables.get('overlays')?.split(' ').filter(Boolean) ?? [];
  const tries = variables.get('overlay_tries');
  if (names.length === 0 || (tries !== '0' && tries !== '1' && tries !== 'kept')) return undefined;
  const before = variables.get('overlay_before')?.split(',') ?? [];
  return { names, tries, before: { network: before.includes('network'), vpn: before.includes('vpn') } };
}

/** In the order and with the end that `env export -t` gives it: the loader writes as many bytes over it, in the same sector. */
function textOf({ names, tries, before }: OverlaySet): string {
  const worked = Object.entries(before).flatMap(([what, did]) => (did ? [what] : []));
  return `overlay_before=${worked.join(',') || 'none'}\noverlay_tries=${tries}\noverlays=${names.join(' ')}\n\0`;
}
