import { parseBool, parseMemoryBytes } from '../flags/flag-kinds.ts';
import { absolutePath } from './volume-spec.ts';

export interface Mount {
  Type: string;
  Source?: string;
  Target?: string;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: { Propagation?: string; NonRecursive?: boolean; ReadOnlyNonRecursive?: boolean; ReadOnlyForceRecursive?: boolean; CreateMountpoint?: boolean };
  VolumeOptions?: { NoCopy?: boolean; Labels?: Record<string, string>; Subpath?: string; DriverConfig?: { Name?: string; Options?: Record<string, string> } };
  TmpfsOptions?: { SizeBytes?: number; Mode?: number };
}

/** Splits a line of comma-separated fields; fields in double quotes may hold commas. */
export function splitCsv(text: string): string[] {
  const fields: string[] = [];
  for (const match of text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
  return fields;
}

class MountProblem extends Error {}

function flagOf(key: string, value: string | undefined): boolean {
  const parsed = value === undefined ? true : parseBool(value);
  if (parsed === null) throw new MountProblem(`invalid value for ${key}: ${value}`);
  return parsed;
}

function pair(value: string): [string, string] {
  const equals = value.indexOf('=');
  return equals < 0 ? [value, ''] : [value.slice(0, equals), value.slice(equals + 1)];
}

/** Reads one --mount value; a text says what is wrong with it. */
export function parseMount(text: string, workingDirectory: string): Mount | string {
  try {
    return readMount(text, workingDirectory);
  } catch (error) {
    if (error instanceof MountProblem) return error.message;
    throw error;
  }
}

function readMount(text: string, workingDirectory: string): Mount {
  const mount: Mount = { Type: 'volume' };
  for (const field of splitCsv(text)) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase().trim();
    const value = equals < 0 ? undefined : field.slice(equals + 1);
    if (value === undefined && !['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive', 'bind-create-src'].includes(key)) throw new MountProblem(`invalid field '${field}' must be a key=value pair`);
    readField(mount, key, value, field);
  }
  if (mount.Target === undefined || mount.Target === '') throw new MountProblem('target is required');
  const allowed: Readonly<Record<string, string>> = { VolumeOptions: 'volume', BindOptions: 'bind', TmpfsOptions: 'tmpfs' };
  for (const [option, type] of Object.entries(allowed)) {
    if (option in mount && mount.Type !== type && !(type === 'volume' && mount.Type === 'cluster')) throw new MountProblem(`cannot mix '${type}-*' options with mount type '${mount.Type}'`);
  }
  if (mount.Type === 'bind' && mount.Source !== undefined) mount.Source = absolutePath(mount.Source, workingDirectory);
  return mount;
}

function readField(mount: Mount, key: string, value: string | undefined, field: string): void {
  const text = value ?? '';
  switch (key) {
    case 'type': mount.Type = text.toLowerCase(); break;
    case 'source': case 'src': mount.Source = text; break;
    case 'target': case 'dst': case 'destination': mount.Target = text; break;
    case 'readonly': case 'ro': mount.ReadOnly = flagOf(key, value); break;
    case 'consistency': mount.Consistency = text.toLowerCase(); break;
    case 'bind-propagation': (mount.BindOptions ??= {}).Propagation = text.toLowerCase(); break;
    case 'bind-nonrecursive': (mount.BindOptions ??= {}).NonRecursive = flagOf(key, value); break;
    case 'bind-create-src': (mount.BindOptions ??= {}).CreateMountpoint = flagOf(key, value); break;
    case 'bind-recursive': readRecursive(mount, text); break;
    case 'volume-nocopy': (mount.VolumeOptions ??= {}).NoCopy = flagOf(key, value); break;
    case 'volume-subpath': (mount.VolumeOptions ??= {}).Subpath = text; break;
    case 'volume-label': {
      const [name, label] = pair(text);
      ((mount.VolumeOptions ??= {}).Labels ??= {})[name] = label;
      break;
    }
    case 'volume-driver': ((mount.VolumeOptions ??= {}).DriverConfig ??= {}).Name = text; break;
    case 'volume-opt': {
      const [name, option] = pair(text);
      (((mount.VolumeOptions ??= {}).DriverConfig ??= {}).Options ??= {})[name] = option;
      break;
    }
    case 'tmpfs-size': {
      const size = parseMemoryBytes(text);
      if (size === null) throw new MountProblem(`invalid value for ${key}: ${text}`);
      (mount.TmpfsOptions ??= {}).SizeBytes = size;
      break;
    }
    case 'tmpfs-mode':
      if (!/^[0-7]+$/.test(text)) throw new MountProblem(`invalid value for ${key}: ${text}`);
      (mount.TmpfsOptions ??= {}).Mode = Number.parseInt(text, 8);
      break;
    default: throw new MountProblem(`unexpected key '${key}' in '${field}'`);
  }
}

function readRecursive(mount: Mount, value: string): void {
  const options = (mount.BindOptions ??= {});
  switch (value) {
    case 'enabled': break;
    case 'disabled': options.NonRecursive = true; break;
    case 'writable': options.ReadOnlyNonRecursive = true; break;
    case 'readonly': options.ReadOnlyForceRecursive = true; break;
    default: throw new MountProblem(`invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")`);
  }
}
