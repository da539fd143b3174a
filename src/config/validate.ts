import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';

import build from './schemas/build.schema.json' with { type: 'json' };
import config from './schemas/config.schema.json' with { type: 'json' };
import machine from './schemas/machine.schema.json' with { type: 'json' };
import recipe from './schemas/recipe.schema.json' with { type: 'json' };
import type { Build, DeviceConfig, Machine, Recipe } from '../model/index.ts';
import { nearest } from './suggest.ts';

export interface SchemaTypes {
  build: Build;
  config: DeviceConfig;
  machine: Machine;
  recipe: Recipe;
}

export type SchemaName = keyof SchemaTypes;

export interface Violation {
  /** Keys and indexes from the top to the offending place. */
  path: (string | number)[];
  /** Whether the key itself is what is wrong, not its value. */
  atKey: boolean;
  message: string;
  hint: string | null;
}

const ajv = new Ajv({ allErrors: true, verbose: true, strict: true, strictRequired: false, discriminator: false, useDefaults: true, allowUnionTypes: true });
// `discriminator` marks unions for readers and editors; the messages below follow it themselves.
ajv.addKeyword({ keyword: 'discriminator', schemaType: 'object' });
// What a wrong value is, in words.
ajv.addKeyword({ keyword: 'complaint', schemaType: 'string' });
ajv.addSchema(config, 'config.schema.json');
const validators: { [S in SchemaName]: ValidateFunction<SchemaTypes[S]> } = {
  build: ajv.compile<Build>(build),
  config: ajv.compile<DeviceConfig>(config),
  machine: ajv.compile<Machine>(machine),
  recipe: ajv.compile<Recipe>(recipe),
};

/** Checks data against a schema and fills in its defaults (in place). An empty list means that the data is valid. */
export function violations(schema: SchemaName, data: unknown): Violation[] {
  const validate = validators[schema];
  if (validate(data)) return schema === 'machine' ? machineViolations(data as Machine) : [];
  const all = (validate.errors ?? []).flatMap((error) => violation(error, data));
  // The branches of a union each complain; the complaint deepest in the data is the one about the branch meant.
  const seen = new Set<string>();
  return all.filter((item) => {
    const id = `${item.path.join('\0')}\0${item.message}`;
    return seen.has(id) ? false : seen.add(id);
  });
}

function violation(error: ErrorObject, data: unknown): Violation[] {
  const path = pointer(error.instancePath);
  const params = error.params as Record<string, unknown>;
  const at = (message: string, hint: string | null = null): Violation[] => [{ path, atKey: false, message, hint }];
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params['additionalProperty']);
      if (isUnionNoise(error, data)) return [];
      const known = Object.keys((error.parentSchema?.['properties'] ?? propertiesOf(error)) as object);
      const near = nearest(key, known);
      const allowed = known.filter((name) => !name.startsWith('$')).join(', ');
      return [{ path: [...path, key], atKey: true, message: `unknown key "${key}"`, hint: near ? `did you mean "${near}"?` : allowed ? `allowed here: ${allowed}` : null }];
    }
    case 'required':
      return isUnionNoise(error, data) ? [] : at(`the key "${String(params['missingProperty'])}" is missing`);
    case 'enum': {
      const allowed = (params['allowedValues'] as unknown[]).map(String);
      const value = String(valueAt(data, path));
      const near = nearest(value, allowed);
      return at(`"${value}" is not allowed here`, near ? `did you mean "${near}"?` : `allowed: ${allowed.join(', ')}`);
    }
    case 'const':
      return [];
    case 'oneOf': {
      const values = unionValues(error.parentSchema);
      const key = (error.parentSchema?.['discriminator'] as { propertyName?: string } | undefined)?.propertyName;
      if (!key) return at('none of the allowed forms fits', null);
      const value = String((valueAt(data, path) as Record<string, unknown> | undefined)?.[key]);
      if (values.includes(value)) return [];
      const near = nearest(value, values);
      return [{ path: [...path, key], atKey: false, message: `"${value}" is not allowed here`, hint: near ? `did you mean "${near}"?` : `allowed: ${values.join(', ')}` }];
    }
    case 'type':
      return at(`must be ${typeNames[String(params['type'])] ?? String(params['type'])}, not ${describe(valueAt(data, path))}`);
    case 'propertyNames': {
      const name = String(params['propertyName']);
      const complaint: unknown = error.parentSchema?.['complaint'];
      return [{ path: [...path, name], atKey: true, message: `"${name}" is ${typeof complaint === 'string' ? complaint : 'not a name that can stand here'}`, hint: null }];
    }
    case 'pattern': {
      // What is wrong with a name is said by propertyNames.
      if (error.propertyName !== undefined) return [];
      const { description, complaint } = error.parentSchema ?? {};
      if (typeof complaint === 'string') return at(`"${String(valueAt(data, path))}" is ${complaint}`);
      return at(`"${String(valueAt(data, path))}" does not have the right form`, typeof description === 'string' ? description : `expected: ${String(params['pattern'])}`);
    }
    default:
      return at(error.message ?? error.keyword);
  }
}

/** What a machine needs one of, which its schema cannot say with a message that helps. */
function machineViolations(machine: Machine): Violation[] {
  const { kernel, boot } = machine;
  const one = (part: string, origins: Record<string, unknown>): Violation[] => {
    const names = Object.keys(origins);
    const given = names.filter((name) => origins[name] !== undefined);
    if (given.length === 1) return [];
    const message = given.length === 0 ? `one of the keys ${inWords(names)} is needed` : `only one of the keys ${inWords(given)} can be there`;
    const artifact = names.includes('artifact') ? '; artifact: an archive of its maker' : '';
    return [{ path: [part], atKey: false, message, hint: `${names[0] ?? ''}: a binary package of Debian; source: built from Debian's sources${artifact}` }];
  };
  return [...machineFiles(machine), ...one('kernel', { debian: kernel.debian, source: kernel.source, artifact: kernel.artifact }), ...(boot.method === 'u-boot' ? one('boot', { package: boot.package, source: boot.source }) : [])];
}

const inWords = (names: readonly string[]): string => (names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`);

/** Files by address: names that mean one file each, areas that mean a file that is there, and none that nobody wants. */
function machineFiles({ files: given, boot }: Machine): Violation[] {
  const files = given ?? [];
  const areas = boot.method === 'u-boot' ? (boot.areas ?? []) : [];
  const names = files.map(({ name }) => name);
  const at = (path: Violation['path'], message: string, hint: string): Violation => ({ path, atKey: false, message, hint });
  return [
    ...files.flatMap(({ name, target }, index) => [
      ...(names.indexOf(name) < index ? [at(['files', index, 'name'], `"${name}" is the name of another file already`, 'names tell files apart')] : []),
      ...(target === undefined && !areas.some(({ download }) => download === name) ? [at(['files', index], `${name} is used nowhere`, 'target puts it on the boot partition, download of boot.areas outside of partitions')] : []),
    ]),
    ...areas.flatMap(({ file, download }, index) => {
      if (download === undefined) return [];
      if (file !== undefined) return [at(['boot', 'areas', index], 'only one of the keys file and download can be there', 'file: a program of the boot loader; download: one of files')];
      if (names.includes(download)) return [];
      const near = nearest(download, names);
      return [at(['boot', 'areas', index, 'download'], `there is no file called "${download}"`, near ? `did you mean "${near}"?` : `files has: ${names.join(', ') || 'nothing'}`)];
    }),
  ];
}

const typeNames: Record<string, string> = { string: 'text', integer: 'a whole number', number: 'a number', boolean: 'true or false', array: 'a list', object: 'a set of keys' };

function describe(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a set of keys';
  return typeof value === 'string' ? `the text "${value}"` : `${typeof value === 'boolean' ? '' : 'the number '}${String(value)}`;
}

function pointer(text: string): (string | number)[] {
  const words = text.split('/').slice(1);
  return words.map((word) => word.replaceAll('~1', '/').replaceAll('~0', '~')).map((word) => (/^\d+$/.test(word) ? Number(word) : word));
}

function valueAt(data: unknown, path: (string | number)[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string | number, unknown> | undefined)?.[key], data);
}

interface Branch {
  properties?: Record<string, { const?: unknown }>;
}

function unionValues(schema: ErrorObject['parentSchema']): string[] {
  const key = (schema?.['discriminator'] as { propertyName?: string } | undefined)?.propertyName;
  const branches = (schema?.['oneOf'] ?? []) as Branch[];
  return key ? branches.map((branch) => String(branch.properties?.[key]?.const)) : [];
}

/** Whether an error comes from a branch of a discriminated union that the data does not choose. */
function isUnionNoise(error: ErrorObject, data: unknown): boolean {
  const branch = error.parentSchema as Branch | undefined;
  const chosen = Object.entries(branch?.properties ?? {}).find(([, property]) => property.const !== undefined);
  if (!chosen) return false;
  const value = (valueAt(data, pointer(error.instancePath)) as Record<string, unknown> | undefined)?.[chosen[0]];
  return value !== chosen[1].const;
}

function propertiesOf(error: ErrorObject): object {
  return (error.schema as object | undefined) ?? {};
}
