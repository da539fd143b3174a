import { parseYaml, violations, type Violation } from '../config/index.ts';
import { OsbuildError, type DeviceConfig } from '../model/index.ts';

type Keys = Record<string, unknown>;

const isKeys = (value: unknown): value is Keys => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads and checks a config.json. `file`: for messages. @throws OSB_CONFIG_INVALID with every fault */
export function checkText(text: string, file: string): DeviceConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new OsbuildError('OSB_CONFIG_INVALID', `${file}: not JSON: ${(cause as Error).message}`, { hint: 'a device that finds this keeps its last good configuration', cause });
  }
  if (!isKeys(value)) throw new OsbuildError('OSB_CONFIG_INVALID', `${file}: not a set of keys`);
  // JSON is YAML: faults come with their places.
  parseYaml('config', text, file);
  return value;
}

/** The names of a key's parents and its own. A name that is there may have dots in it. */
function namesOf(config: unknown, key: string): string[] {
  if (key === '') throw new OsbuildError('OSB_USAGE', 'a key is empty', { hint: 'such as hostname, or os.sshKeys' });
  if (isKeys(config) && Object.hasOwn(config, key)) return [key];
  const dot = key.indexOf('.');
  if (dot < 0) return [key];
  const first = key.slice(0, dot);
  return [first, ...namesOf(isKeys(config) ? config[first] : undefined, key.slice(dot + 1))];
}

/** What a key has; undefined where it has nothing. @throws OSB_USAGE for a key that there cannot be */
export function valueOf(config: DeviceConfig, key: string): unknown {
  const names = namesOf(config, key);
  const found = names.reduce<unknown>((value, name) => (isKeys(value) && Object.hasOwn(value, name) ? value[name] : undefined), config);
  if (found === undefined) checkKey(withKey({}, names, null), key);
  return found;
}

/** The configuration with a key's value: JSON, or text as it stands, whichever fits; a list may be given by its only item. @throws OSB_USAGE, OSB_CONFIG_INVALID */
export function withValue(config: DeviceConfig, key: string, text: string): DeviceConfig {
  const names = namesOf(config, key);
  const readings = [...parsed(text), text];
  const attempts = [...readings, ...readings.map((reading) => [reading])].map((reading) => withKey(config, names, reading));
  const [first] = attempts;
  checkKey(first, key);
  const faults = (attempt: unknown): Violation[] => violations('config', structuredClone(attempt)).filter(({ path }) => names.every((name, at) => path[at] === undefined || String(path[at]) === name));
  const good = attempts.find((attempt) => faults(attempt).length === 0);
  if (good !== undefined) return good as DeviceConfig;
  const [fault] = faults(first);
  throw new OsbuildError('OSB_CONFIG_INVALID', `${fault?.path.join('.') || key}: ${fault?.message ?? 'does not fit'}`, { hint: fault?.hint ?? undefined });
}

/** The configuration without a key, and without the sets of keys that are empty then. */
export function withoutValue(config: DeviceConfig, key: string): DeviceConfig {
  const names = namesOf(config, key);
  const remove = (value: unknown, [name = '', ...rest]: string[]): unknown => {
    if (!isKeys(value)) return value;
    const { [name]: inner, ...others } = value;
    if (rest.length === 0 || inner === undefined) return others;
    const left = remove(inner, rest);
    return isKeys(left) && Object.keys(left).length === 0 ? others : { ...value, [name]: left };
  };
  if (valueOf(config, key) === undefined) return config;
  return remove(config, names) as DeviceConfig;
}

function parsed(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch {
    return [];
  }
}

function withKey(config: unknown, [name = '', ...rest]: string[], value: unknown): unknown {
  const before = isKeys(config) ? config : {};
  return { ...before, [name]: rest.length === 0 ? value : withKey(before[name], rest, value) };
}

/** Says what a mistyped key may have been meant to be. */
function checkKey(config: unknown, key: string): void {
  const fault = violations('config', structuredClone(config)).find(({ path, atKey }) => atKey && key.startsWith(path.join('.')));
  if (fault === undefined) return;
  const parent = fault.path.slice(0, -1).join('.');
  throw new OsbuildError('OSB_USAGE', `there is no key "${fault.path.join('.')}"`, { hint: parent === '' ? (fault.hint ?? undefined) : `${fault.hint ?? ''} (in ${parent})` });
}

