import { EngineError, systemErrorCode } from '../error.ts';
import type { FileStat, Files } from '../ports/index.ts';
import type { OciDevice, OciDeviceRule } from '../runtime/index.ts';
import type { HostConfig } from './config.ts';

export interface GrantedDevice {
  device: OciDevice;
  access: string;
}

/** crun makes these itself, or they belong to the container's own terminals. */
const SKIPPED = ['/dev/pts', '/dev/shm', '/dev/mqueue', '/dev/fd', '/dev/console', '/dev/ptmx', '/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom', '/dev/tty'];
const DEPTH_LIMIT = 4;

/** The device nodes of --device, or all of the host's for a privileged container. Throws 'invalid'. */
export function resolveDevices(files: Files, host: HostConfig): GrantedDevice[] {
  if (host.Privileged) return findDevices(files, '/dev', '/dev', 'rwm', 0);
  return (host.Devices ?? []).flatMap(({ PathOnHost, PathInContainer, CgroupPermissions }) => {
    if (!/^[rwm]+$/.test(CgroupPermissions)) throw new EngineError('invalid', 'DEVICE_INVALID', `invalid device mode: ${CgroupPermissions}`);
    let stat: FileStat;
    try {
      stat = files.stat(PathOnHost);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      throw new EngineError('invalid', 'DEVICE_MISSING', `error gathering device information while adding custom device "${PathOnHost}": no such file or directory`);
    }
    if (stat.type === 'directory') return findDevices(files, PathOnHost, PathInContainer, CgroupPermissions, 0);
    const device = describe(stat, PathInContainer);
    if (device === undefined) throw new EngineError('invalid', 'DEVICE_INVALID', `error gathering device information while adding custom device "${PathOnHost}": not a device node`);
    return [{ device, access: CgroupPermissions }];
  });
}

/** '<a|b|c> <major|*>:<minor|*> <rwm>'. */
export function parseDeviceRule(text: string): OciDeviceRule | undefined {
  const match = /^([abc]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text);
  if (match === null) return undefined;
  const [, type, major, minor, access = ''] = match;
  return {
    allow: true, access, ...(type === 'a' || type === 'b' || type === 'c' ? { type } : {}),
    ...(major === '*' ? {} : { major: Number(major) }), ...(minor === '*' ? {} : { minor: Number(minor) }),
  };
}

function findDevices(files: Files, folder: string, inside: string, access: string, depth: number): GrantedDevice[] {
  return files.readdir(folder).flatMap(({ name, type }) => {
    const path = `${folder}/${name}`;
    if (SKIPPED.includes(path)) return [];
    if (type === 'directory') return depth < DEPTH_LIMIT ? findDevices(files, path, `${inside}/${name}`, access, depth + 1) : [];
    if (type !== 'character' && type !== 'block') return [];
    const device = describe(files.lstat(path), `${inside}/${name}`);
    return device === undefined ? [] : [{ device, access }];
  });
}

function describe(stat: FileStat, path: string): OciDevice | undefined {
  if (stat.type !== 'character' && stat.type !== 'block') return undefined;
  return { path, type: stat.type === 'block' ? 'b' : 'c', major: stat.rdevMajor, minor: stat.rdevMinor, fileMode: stat.mode & 0o777, uid: stat.uid, gid: stat.gid };
}
