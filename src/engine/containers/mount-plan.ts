import { EngineError } from '../error.ts';
import type { HostConfig } from './config.ts';
import type { MountPoint } from './record.ts';

const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];
/** Accepted and without meaning here: SELinux labels, and Docker Desktop's consistency hints. */
const IGNORED = ['z', 'Z', 'rw', 'consistent', 'cached', 'delegated', 'default', 'nocopy', ''];
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$/;

/** A mount as asked for; volumes without a name get one when the container is created. */
export interface PlannedMount extends MountPoint {
  /** Fill a new volume with what the image has at the place. */
  copyUp: boolean;
  /** `-v /host:…` makes the folder on the host, `--mount` wants it there. */
  createSource: boolean;
  labels: Record<string, string>;
}

/** All mounts of -v, --mount, --tmpfs, other containers and the image's volumes; each destination once, the more explicit one winning. Sorted, parents first. */
export function planMounts(host: HostConfig, imageVolumes: readonly string[], borrowed: readonly PlannedMount[] = []): PlannedMount[] {
  const plan = new Map<string, PlannedMount>();
  const add = (mount: PlannedMount, explicit: boolean): void => {
    const destination = cleanPath(mount.destination);
    if (destination === '/') throw invalid("invalid specification: destination can't be '/'");
    if (plan.has(destination)) {
      if (explicit) throw invalid(`Duplicate mount point: ${destination}`);
      return;
    }
    plan.set(destination, { ...mount, destination });
  };
  for (const bind of host.Binds ?? []) add(parseBind(bind), true);
  for (const mount of host.Mounts ?? []) {
    const common = { ...EMPTY, destination: mount.Target, readOnly: mount.ReadOnly ?? false, source: mount.Source ?? '' };
    if (mount.Type === 'bind') add({ ...common, type: 'bind', propagation: mount.BindOptions?.Propagation || 'rprivate', createSource: mount.BindOptions?.CreateMountpoint ?? false }, true);
    else if (mount.Type === 'tmpfs') {
      const { SizeBytes = 0, Mode = 0 } = mount.TmpfsOptions ?? {};
      const options = [...(SizeBytes > 0 ? [`size=${SizeBytes}`] : []), ...(Mode > 0 ? [`mode=${Mode.toString(8)}`] : [])];
      add({ ...common, type: 'tmpfs', tmpfsOptions: options.join(',') }, true);
    } else {
      const name = mount.Source ?? '';
      const subpath = mount.VolumeOptions?.Subpath;
      add({ ...common, type: 'volume', source: '', name: checkVolumeName(name), anonymous: name === '', copyUp: !(mount.VolumeOptions?.NoCopy ?? false) && subpath === undefined, labels: mount.VolumeOptions?.Labels ?? {}, ...(subpath === undefined ? {} : { subpath }) }, true);
    }
  }
  for (const [destination, options] of Object.entries(host.Tmpfs ?? {})) add({ ...EMPTY, type: 'tmpfs', destination, tmpfsOptions: options }, true);
  for (const mount of borrowed.toReversed()) add(mount, false);
  for (const destination of imageVolumes) add({ ...EMPTY, type: 'volume', destination, anonymous: true, copyUp: true }, false);
  return [...plan.values()].sort((a, b) => (a.destination < b.destination ? -1 : 1));
}

const EMPTY = {
  type: 'volume' as const, name: '', source: '', destination: '', readOnly: false, propagation: '', mode: '', anonymous: false, tmpfsOptions: '',
  copyUp: false, createSource: false, labels: {},
};

/** 'source:destination[:options]' */
export function parseBind(text: string): PlannedMount {
  const [source = '', destination = '', mode = '', ...rest] = text.split(':');
  if (rest.length > 0 || source === '' || !destination.startsWith('/')) {
    throw invalid(`invalid volume specification: '${text}'${destination !== '' && !destination.startsWith('/') ? `: invalid mount path: '${destination}' mount path must be absolute` : ''}`);
  }
  const options = mode === '' ? [] : mode.split(',');
  for (const option of options) {
    if (option !== 'ro' && !IGNORED.includes(option) && !PROPAGATIONS.includes(option)) throw invalid(`invalid mode: ${mode}`);
  }
  const common = { ...EMPTY, destination, mode, readOnly: options.includes('ro') };
  if (source.startsWith('/')) {
    return { ...common, type: 'bind', source: cleanPath(source), propagation: options.find((option) => PROPAGATIONS.includes(option)) ?? 'rprivate', createSource: true };
  }
  return { ...common, type: 'volume', name: checkVolumeName(source), copyUp: !options.includes('nocopy') };
}

export function checkVolumeName(name: string): string {
  if (name !== '' && !VOLUME_NAME.test(name)) {
    throw invalid(`"${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`);
  }
  return name;
}

/** Absolute, without '.', '..', doubled and trailing slashes. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', 'MOUNT_INVALID', message);
}
