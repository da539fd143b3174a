import { compileTemplate, indentJson } from '../../format/index.ts';
import { ApiError } from '../api/api-client.ts';
import { CliError } from '../cli-error.ts';
import { atLeast, type Command, type CommandContext } from '../command.ts';
import type { FlagSpec } from '../flags/flag-spec.ts';
import { inPath } from './each.ts';
import { formatFlag } from './shared-flags.ts';

type Finder = (context: CommandContext, name: string) => Promise<string>;

const finders: Readonly<Record<string, Finder>> = {
  container: ({ api, flags }, name) => api.getText(`/containers/${inPath(name)}/json`, { size: (flags.given('size') && flags.bool('size')) || undefined }),
  image: ({ api }, name) => api.getText(`/images/${encodeURIComponent(name).replaceAll('%2F', '/')}/json`),
  network: ({ api, flags }, name) => api.getText(`/networks/${inPath(name)}`, { verbose: (flags.given('verbose') && flags.bool('verbose')) || undefined }),
  volume: ({ api }, name) => api.getText(`/volumes/${inPath(name)}`),
};

const mapFields = new Set([
  'Labels', 'Networks', 'Ports', 'PortBindings', 'ExposedPorts', 'Volumes', 'Options', 'DriverOpts', 'Sysctls', 'Tmpfs', 'Annotations', 'Containers', 'StorageOpt', 'Data',
]);
const listFields = new Set([
  'Env', 'Cmd', 'Entrypoint', 'Args', 'Binds', 'Mounts', 'CapAdd', 'CapDrop', 'Dns', 'DnsOptions', 'DnsSearch', 'ExtraHosts', 'GroupAdd', 'Links', 'SecurityOpt',
  'VolumesFrom', 'Devices', 'Ulimits', 'ExecIDs', 'Aliases', 'DNSNames', 'RepoTags', 'RepoDigests', 'Layers', 'OnBuild', 'MaskedPaths', 'ReadonlyPaths',
]);

function missing(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** The first kind of object that has this name. */
async function findAny(context: CommandContext, name: string): Promise<string> {
  for (const find of Object.values(finders)) {
    try {
      return await find(context, name);
    } catch (error) {
      if (!missing(error)) throw error;
    }
  }
  throw new CliError(`Error: No such object: ${name}`);
}

async function inspect(context: CommandContext, find: Finder): Promise<number> {
  const format = context.flags.string('format');
  const template = format === '' || format === 'json' ? null : compileTemplate(format);
  const found: string[] = [];
  const problems: string[] = [];
  let templateProblem: CliError | null = null;
  for (const name of context.args) {
    try {
      found.push(await find(context, name));
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      problems.push(error.message);
      if (!missing(error) && !error.message.startsWith('Error: No such object')) break;
    }
  }
  if (template) {
    for (const text of found) {
      try {
        await context.print(`${template.render(JSON.parse(text), { mapFields, listFields })}\n`);
      } catch (error) {
        templateProblem = new CliError(`template parsing error: ${error instanceof Error ? error.message : String(error)}`);
        break;
      }
    }
    if (found.length === 0 || templateProblem) await context.print('\n');
  } else {
    const whole = `[${found.map((text) => text.trim()).join(',')}]`;
    await context.print(`${format === 'json' ? JSON.stringify(JSON.parse(whole)) : indentJson(whole)}\n`);
  }
  if (templateProblem) throw templateProblem;
  if (problems.length > 0) throw new CliError(problems.join('\n'));
  return 0;
}

const sizeFlag: FlagSpec = { name: 'size', short: 's', kind: 'bool', help: 'Show sizes of containers' };
const platformFlag: FlagSpec = { name: 'platform', kind: 'string', help: 'Platform of the image', hidden: true };
const verboseFlag: FlagSpec = { name: 'verbose', short: 'v', kind: 'bool', help: 'Show more, for finding faults' };

export const inspectCommand: Command = {
  path: ['inspect'], usage: 'NAME|ID [NAME|ID...]', summary: 'Show all that is known about containers, images, networks or volumes',
  flags: [formatFlag, sizeFlag, { name: 'type', kind: 'string', help: 'Look for this kind alone (container, image, network, volume)', complete: Object.keys(finders) }],
  args: atLeast(1), completeArgs: 'container',
  run(context) {
    const type = context.flags.string('type');
    if (context.flags.given('type') && type === '') throw new CliError('type is empty: must be one of "container", "image", "network", "volume"');
    const find = type === '' ? findAny : finders[type];
    if (!find) throw new CliError(`unknown type: ${JSON.stringify(type)}: must be one of ${Object.keys(finders).map((name) => `"${name}"`).join(', ')}`);
    return inspect(context, find);
  },
};

function inspectOf(kind: 'container' | 'image' | 'network' | 'volume', flags: readonly FlagSpec[]): Command {
  const upper = kind.toUpperCase();
  return {
    path: [kind, 'inspect'], usage: `${upper} [${upper}...]`, summary: `Show all that is known about one or more ${kind}s`,
    flags: [formatFlag, ...flags], args: atLeast(1), completeArgs: kind, run: (context) => inspect(context, finders[kind] ?? findAny),
  };
}

export const inspectCommands: readonly Command[] = [
  inspectCommand, inspectOf('container', [sizeFlag]), inspectOf('image', [platformFlag]), inspectOf('network', [verboseFlag]), inspectOf('volume', []),
];
