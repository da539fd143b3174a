import { CliError } from '../cli-error.ts';
import { parseMemoryBytes } from '../flags/flag-kinds.ts';

export interface DeviceMapping {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  readonly CgroupPermissions: string;
}

const isPermissions = (text: string) => /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;

/** host[:container[:permissions]] */
export function parseDevice(spec: string): DeviceMapping {
  const parts = spec.split(':');
  const [host = '', second, third] = parts;
  if (parts.length > 3 || host === '' || (third !== undefined && !isPermissions(third))) throw new CliError(`invalid device specification: ${spec}`);
  if (third !== undefined) return { PathOnHost: host, PathInContainer: second ?? host, CgroupPermissions: third };
  if (second !== undefined && isPermissions(second)) return { PathOnHost: host, PathInContainer: host, CgroupPermissions: second };
  return { PathOnHost: host, PathInContainer: second ?? host, CgroupPermissions: 'rwm' };
}

export interface DeviceRate {
  readonly Path: string;
  readonly Rate: number;
}

/** path:number for operations, path:size for bytes. */
export function parseDeviceRate(spec: string, unit: 'bytes' | 'operations'): DeviceRate {
  const colon = spec.lastIndexOf(':');
  const path = spec.slice(0, Math.max(0, colon));
  const amount = spec.slice(colon + 1);
  if (colon < 0) throw new CliError(`bad format: ${spec}`);
  if (!path.startsWith('/dev/')) throw new CliError(`bad format for device path: ${spec}`);
  const rate = unit === 'bytes' ? parseMemoryBytes(amount) : /^\d+$/.test(amount) ? Number(amount) : null;
  if (rate === null) throw new CliError(`invalid rate for device: ${spec}. The correct format is <device-path>:<number>${unit === 'bytes' ? '[<unit>]' : ''}`);
  return { Path: path, Rate: rate };
}

export function parseDeviceWeight(spec: string): { Path: string; Weight: number } {
  const [path = '', weight = '', ...rest] = spec.split(':');
  if (rest.length > 0 || weight === '') throw new CliError(`bad format: ${spec}`);
  if (!path.startsWith('/dev/')) throw new CliError(`bad format for device path: ${spec}`);
  const value = Number(weight);
  if (!/^\d+$/.test(weight) || (value > 0 && (value < 10 || value > 1000))) throw new CliError(`invalid weight for device: ${spec}`);
  return { Path: path, Weight: value };
}
