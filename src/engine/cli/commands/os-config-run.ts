import { applyConfig, BOOT_CONFIG, complaintText, edit, findKey, presentConfig, readConfig, valueAt, type CheckSettings, type Json } from '../../os/config/index.ts';
import { bootPartition } from '../../os/boot-partition.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import { withHints } from '../engine-errors.ts';
import { errorCode, reasonOf } from '../ports.ts';

const BOOT = BOOT_CONFIG.slice(0, BOOT_CONFIG.lastIndexOf('/'));

type Verb = (context: CommandContext, args: readonly string[]) => Promise<number>;

/** Each with the least and the most of its arguments. */
const VERBS: Readonly<Record<string, { args: readonly [number, number]; usage: string; run: Verb }>> = {
  get: { args: [0, 1], usage: 'get [KEY]', run: get },
  set: { args: [2, 2], usage: 'set KEY VALUE', run: (context, [key = '', value = '']) => change(context, key, value) },
  unset: { args: [1, 1], usage: 'unset KEY', run: (context, [key = '']) => change(context, key, undefined) },
  check: { args: [0, 1], usage: 'check [FILE]', run: checkFile },
  apply: { args: [0, 0], usage: 'apply', run: apply },
};

/** `os config`: read when it is called. */
export async function runConfig(context: CommandContext): Promise<number> {
  const [name = '', ...args] = context.args;
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (verb === undefined) throw new CliError(`'${name}' is none of ${Object.keys(VERBS).join(', ')}`);
  const [least, most] = verb.args;
  if (args.length < least || args.length > most) throw new CliError(`usage: ${context.program} os config ${verb.usage}`);
  return withHints(() => verb.run(context, args));
}

async function get(context: CommandContext, [key]: readonly string[]): Promise<number> {
  const { config } = presentConfig(context.ports.system().files);
  const value = key === undefined ? (config as Json) : valueAt(config as Json, findKey(key).path);
  if (value === undefined) return 1;
  await context.print(`${typeof value === 'string' ? value : JSON.stringify(value, null, 2)}\n`);
  return 0;
}

async function checkFile(context: CommandContext, [path = BOOT_CONFIG]: readonly string[]): Promise<number> {
  let text: string;
  try {
    text = context.ports.files.readText(path);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new CliError(`${path}: ${reasonOf(error)}`, 1, { cause: error });
  }
  const { complaints } = readConfig(text, undefined);
  for (const complaint of complaints) await context.print(`${path}: ${complaintText(complaint)}\n`);
  return complaints.length === 0 ? 0 : 1;
}

async function change(context: CommandContext, key: string, value: string | undefined): Promise<number> {
  const { files } = context.ports.system();
  const present = files.exists(BOOT_CONFIG) ? files.readText(BOOT_CONFIG) : undefined;
  const text = edit(present, presentConfig(files).config as Json, key, value);
  if (text !== present) {
    const boot = bootPartition(files, BOOT);
    await boot.writing(() => boot.put(BOOT_CONFIG.slice(BOOT.length + 1), text));
  }
  return apply(context);
}

async function apply(context: CommandContext): Promise<number> {
  const { parseConfigFile, resolveSettings } = await import('../../daemon/options.ts');
  const check: CheckSettings = (text) => void resolveSettings(parseConfigFile(text, 'daemon.json'), new Map());
  const { complaints, changed, failures } = await applyConfig(context.ports.system(), check);
  for (const line of complaints) await context.warn(`config.json: ${line}`);
  for (const line of failures) await context.warn(line);
  if (changed.length > 0) await context.print(`applied: ${changed.join(', ')}\n`);
  return 0;
}
