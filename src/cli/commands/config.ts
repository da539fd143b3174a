import { access, readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';

import { inWorkFolder } from '../../cache/index.ts';
import { openToolsTree } from '../../device/index.ts';
import { checkText, readFromImage, replaceInImage, valueOf, withoutValue, withValue, type ImageTools } from '../../image-config/index.ts';
import { OsbuildError, type DeviceConfig } from '../../model/index.ts';
import { Session } from '../build/session.ts';
import { imageTools, planToolsTree } from '../build/trees.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';

const fileName = 'config.json';
const wordsLimit = 200;

export const config: Command = {
  name: 'config',
  usage: 'get|set|unset|check <image> [<key>[=<value>] …]',
  summary: 'Read, change and check config.json on the boot partition of an image, before it is flashed',
  details:
    '\n  get <image> [<key>]           the whole file, or what one key has\n' +
    '  set <image> <key>=<value> …   changes keys: JSON, or text as it stands; also <key> <value>\n' +
    '  unset <image> <key> …         takes keys away\n' +
    '  check <image|file.json>       says what a device would refuse\n\n' +
    'Images are .img.zst or .img. A changed one is written anew beside the old one and then takes its place; the block map and SHA256SUMS beside it are put right.\n' +
    'Keys are dotted (os.sshKeys); docs/reference.md lists them.',
  options: {
    file: { type: 'string', short: 'f', value: 'file', help: 'set: takes all keys from this file first' },
    locked: { type: 'boolean', help: 'fail where a locked package of the tools is gone, rather than resolve anew' },
  },
  arguments: { min: 2, max: wordsLimit },
  async run(invocation) {
    const [verb = '', path = '', ...rest] = invocation.words;
    const image = resolve(invocation.cwd, path);
    const from = invocation.flags.text('file');
    const usage = (message: string): OsbuildError => new OsbuildError('OSB_USAGE', message, { hint: `usage: osbuild config ${config.usage}` });
    if (!['get', 'set', 'unset', 'check'].includes(verb)) throw usage(`"${verb}" is nothing that osbuild config does`);
    if (verb !== 'set' && from !== undefined) throw usage(`--file goes with set, not with ${verb}`);
    const most = { get: 1, check: 0 }[verb];
    if (most !== undefined && rest.length > most) throw usage(`unexpected argument "${rest.at(-1)}"`);
    if (most === undefined && rest.length === 0 && from === undefined) throw usage(`nothing is to be ${verb}`);
    const edits = verb === 'set' ? settings(rest) : rest.map((key): Edit => [key, undefined]);
    await access(image).catch((cause: Error) => {
      throw new OsbuildError('OSB_USAGE', `there is no file ${image}`, { hint: '`osbuild image` writes images to out/<machine>', cause });
    });
    if (verb === 'check' && path.endsWith('.json')) return checked(invocation, await readFile(image, 'utf8'), image);
    if (!/\.img(\.zst)?$/.test(image)) throw new OsbuildError('OSB_USAGE', `${image} is no image`, { hint: 'a disk image that `osbuild image` made: .img.zst, or .img' });
    // What there cannot be is said before anything is unpacked.
    if (verb === 'set') for (const edit of edits) apply({}, edit);
    return withImageTools(invocation, async (tools) => {
      if (most === undefined) return change(invocation, image, edits, from === undefined ? null : resolve(invocation.cwd, from), tools);
      const text = await readFromImage(image, fileName, tools);
      if (verb === 'check') return checked(invocation, text ?? missing(image), `${basename(image)}:${fileName}`);
      return get(invocation, text ?? missing(image), image, rest[0]);
    });
  },
};

function missing(image: string): never {
  throw new OsbuildError('OSB_CONFIG_MISSING', `${image} has no ${fileName} on its boot partition`, { hint: 'a device takes the defaults for everything; `osbuild config set` makes one' });
}

function checked({ flags, out }: Invocation, text: string, name: string): number {
  checkText(text, name);
  out(flags.on('json') ? `${JSON.stringify({ type: 'config-check', file: name, valid: true })}\n` : `${name}: nothing is wrong\n`);
  return 0;
}

function get({ flags, out }: Invocation, text: string, image: string, key: string | undefined): number {
  const value = key === undefined ? parse(text, image) : valueOf(parse(text, image), key);
  if (flags.on('json')) out(`${JSON.stringify({ type: 'config', image, key: key ?? null, value: value ?? null })}\n`);
  else if (value === undefined) throw new OsbuildError('OSB_CONFIG_MISSING', `${key} has no value`, { hint: 'a device takes its default' });
  else out(`${typeof value === 'string' ? value : JSON.stringify(value, null, 2)}\n`);
  return 0;
}

/** What an image has, whatever its values are. */
function parse(text: string, image: string): DeviceConfig {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // The same complaint.
  }
  throw new OsbuildError('OSB_CONFIG_INVALID', `${fileName} of ${image} is not a JSON object`, { hint: '`osbuild config set --file` puts another one in its place' });
}

async function change({ flags, out, emit }: Invocation, image: string, edits: readonly Edit[], file: string | null, tools: ImageTools): Promise<number> {
  const given = file === null ? null : checkText(await readText(file), file);
  const present = given === null ? await readFromImage(image, fileName, tools) : null;
  let now: DeviceConfig = given ?? (present === null ? {} : parse(present, image));
  for (const edit of edits) now = apply(now, edit);
  const text = `${JSON.stringify(now, null, 2)}\n`;
  // What was wrong before, and was not changed, is no reason to refuse; a device says so, too.
  try {
    checkText(text, fileName);
  } catch (error) {
    if (!(error instanceof OsbuildError)) throw error;
    emit({ type: 'notice', level: 'warning', code: error.code, message: `the device will refuse a part of it: ${error.message}` });
  }
  const changed = await replaceInImage(image, fileName, text, tools);
  const twin = image.endsWith('.zst') ? image.replace(/\.zst$/, '') : `${image}.zst`;
  const hasTwin = changed.length > 1 && (await access(twin).then(() => true, () => false));
  if (hasTwin) emit({ type: 'notice', level: 'warning', code: 'TWIN_IMAGE', message: `${basename(twin)} beside it was not changed, and the block map no longer fits it` });
  if (flags.on('json')) out(`${JSON.stringify({ type: 'config-set', image, changed, config: now })}\n`);
  else out(changed.length === 0 ? `${image}: it says so already\n` : changed.map((path) => `${path}: changed\n`).join(''));
  return 0;
}

/** A key with what it is to have; undefined: nothing any more. */
type Edit = readonly [key: string, value: string | undefined];

const apply = (config: DeviceConfig, [key, value]: Edit): DeviceConfig => (value === undefined ? withoutValue(config, key) : withValue(config, key, value));

/** `hostname=kitchen country=DE`, or one key and its value as two words. */
function settings(words: readonly string[]): Edit[] {
  const [key = '', value] = words;
  if (words.length === 2 && !key.includes('=')) return [[key, value]];
  return words.map((word) => {
    const at = word.indexOf('=');
    if (at < 1) throw new OsbuildError('OSB_USAGE', `"${word}" is no key with a value`, { hint: 'such as hostname=kitchen; `osbuild config unset` takes keys away' });
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: Error) => {
    throw new OsbuildError('OSB_USAGE', `cannot read ${file}`, { hint: cause.message, cause });
  });
}

/** The tools that images are made with, entered as builds enter them. */
async function withImageTools<T>(invocation: Invocation, action: (tools: ImageTools) => Promise<T>): Promise<T> {
  const { flags, layout, hostEnvironment, signal } = invocation;
  const project = await openProject(invocation);
  const session = new Session(invocation, project);
  const { tasks, tree } = await planToolsTree(imageTools, invocation, session.world, { locked: flags.on('locked') });
  const epoch = project.build.epoch ?? 0;
  const keyed = await session.key({ tasks, targets: [tree], epoch });
  await session.run(keyed, null);
  return inWorkFolder(layout, 'config', (work) =>
    action({ tree: openToolsTree({ folder: layout.tree(keyed.keys.get(tree)?.key ?? ''), work, hostEnvironment, signal }), work, epoch }),
  );
}
