import { bytesSize, compileTemplate, goJson } from '../../format/index.ts';
import { ENGINE_VERSION } from '../../version.ts';
import { CliError } from '../cli-error.ts';
import { noArguments, type Command, type CommandContext } from '../command.ts';
import { formatFlag } from './shared-flags.ts';

type Info = Readonly<Record<string, unknown>>;

function text(value: unknown): string {
  return value === null || value === undefined ? '' : String(value);
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.map(text) : [];
}

/** The lines below "Server:", in Docker's order and words so that scripts find theirs. */
export function infoLines(info: Info): string[] {
  const out: string[] = [];
  const add = (indent: number, name: string, value: unknown) => out.push(`${' '.repeat(indent)}${name}: ${text(value)}`);
  const addIf = (indent: number, name: string, value: unknown) => {
    if (text(value) !== '') add(indent, name, value);
  };
  add(1, 'Containers', info['Containers']);
  add(2, 'Running', info['ContainersRunning']);
  add(2, 'Paused', info['ContainersPaused']);
  add(2, 'Stopped', info['ContainersStopped']);
  add(1, 'Images', info['Images']);
  addIf(1, 'Server Version', info['ServerVersion']);
  addIf(1, 'Storage Driver', info['Driver']);
  for (const pair of Array.isArray(info['DriverStatus']) ? info['DriverStatus'] : []) if (Array.isArray(pair)) add(2, text(pair[0]), pair[1]);
  addIf(1, 'Logging Driver', info['LoggingDriver']);
  addIf(1, 'Cgroup Driver', info['CgroupDriver']);
  addIf(1, 'Cgroup Version', info['CgroupVersion']);
  const plugins = info['Plugins'] as Readonly<Record<string, unknown>> | undefined;
  if (plugins) {
    out.push(' Plugins:');
    for (const kind of ['Volume', 'Network', 'Authorization', 'Log']) if (list(plugins[kind]).length > 0) add(2, kind, list(plugins[kind]).join(' '));
  }
  const runtimes = Object.keys((info['Runtimes'] as object | null | undefined) ?? {});
  if (runtimes.length > 0) add(1, 'Runtimes', runtimes.sort().join(' '));
  addIf(1, 'Default Runtime', info['DefaultRuntime']);
  addIf(1, 'Init Binary', info['InitBinary']);
  if (list(info['SecurityOptions']).length > 0) {
    out.push(' Security Options:');
    for (const option of list(info['SecurityOptions'])) {
      const fields = new Map(option.split(',').map((field) => [field.split('=')[0] ?? '', field.slice(field.indexOf('=') + 1)] as const));
      out.push(`  ${fields.get('name') ?? option}`);
      if (fields.has('profile')) add(3, 'Profile', fields.get('profile'));
    }
  }
  addIf(1, 'Kernel Version', info['KernelVersion']);
  addIf(1, 'Operating System', info['OperatingSystem']);
  addIf(1, 'OSType', info['OSType']);
  addIf(1, 'Architecture', info['Architecture']);
  add(1, 'CPUs', info['NCPU']);
  add(1, 'Total Memory', bytesSize(Number(info['MemTotal'] ?? 0)));
  addIf(1, 'Name', info['Name']);
  addIf(1, 'ID', info['ID']);
  addIf(1, 'Docker Root Dir', info['DockerRootDir']);
  add(1, 'Debug Mode', text(info['Debug'] ?? false));
  for (const [name, key] of [['HTTP Proxy', 'HttpProxy'], ['HTTPS Proxy', 'HttpsProxy'], ['No Proxy', 'NoProxy']] as const) addIf(1, name, info[key]);
  if (list(info['Labels']).length > 0) out.push(' Labels:', ...list(info['Labels']).map((label) => `  ${label}`));
  add(1, 'Experimental', text(info['ExperimentalBuild'] ?? false));
  const registry = info['RegistryConfig'] as { InsecureRegistryCIDRs?: unknown; IndexConfigs?: Record<string, { Secure?: boolean }>; Mirrors?: unknown } | null | undefined;
  const insecure = [...Object.entries(registry?.IndexConfigs ?? {}).filter(([, config]) => config.Secure === false).map(([name]) => name), ...list(registry?.InsecureRegistryCIDRs)];
  if (insecure.length > 0) out.push(' Insecure Registries:', ...insecure.map((name) => `  ${name}`));
  if (list(registry?.Mirrors).length > 0) out.push(' Registry Mirrors:', ...list(registry?.Mirrors).map((mirror) => `  ${mirror}`));
  add(1, 'Live Restore Enabled', text(info['LiveRestoreEnabled'] ?? false));
  return out;
}

async function info(context: CommandContext): Promise<number> {
  const { api, flags, config } = context;
  let server: Info | null = null;
  let problem: CliError | null = null;
  try {
    server = await api.get<Info>('/info');
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    problem = error;
  }
  const client = { Debug: config.debug, Version: ENGINE_VERSION, Context: 'default', Plugins: [], Warnings: null };
  const format = flags.string('format');
  if (format !== '') {
    if (problem && !server) throw problem;
    const merged = { ...server, ClientInfo: client };
    await context.print(`${format === 'json' ? goJson(merged) : compileTemplate(format).render(merged)}\n`);
    return 0;
  }
  await context.print(`Client:\n Version:    ${client.Version}\n Context:    ${client.Context}\n Debug Mode: ${client.Debug}\n\nServer:\n`);
  if (problem) throw problem;
  if (server) await context.print(`${infoLines(server).join('\n')}\n\n`);
  for (const warning of list(server?.['Warnings'])) await context.warn(warning);
  return 0;
}

export const infoCommand: Command = {
  path: ['system', 'info'], aliases: [['info']], usage: '', summary: 'Show facts about the engine and its machine', flags: [formatFlag], args: noArguments, common: true, run: info,
};
