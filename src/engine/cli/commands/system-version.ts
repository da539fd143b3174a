import { compileTemplate, goJson } from '../../format/index.ts';
import { API_VERSION, ENGINE_VERSION } from '../../version.ts';
import { CliError } from '../cli-error.ts';
import { noArguments, type Command, type CommandContext } from '../command.ts';
import { formatFlag } from './shared-flags.ts';

interface ServerVersion {
  readonly Platform?: { readonly Name?: string };
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion?: string;
  readonly GitCommit?: string;
  readonly GoVersion?: string;
  readonly Os: string;
  readonly Arch: string;
  readonly BuildTime?: string;
  readonly KernelVersion?: string;
  readonly Experimental?: boolean;
  readonly Components?: ReadonlyArray<{ readonly Name: string; readonly Version: string; readonly Details?: Readonly<Record<string, string>> | null }> | null;
}

function lines(indent: string, width: number, rows: ReadonlyArray<readonly [string, string]>): string {
  return rows.filter(([, value]) => value !== '').map(([name, value]) => `${indent}${`${name}:`.padEnd(width)}${value}\n`).join('');
}

function serverText(server: ServerVersion): string {
  const name = server.Platform?.Name;
  const components = server.Components ?? [{ Name: 'Engine', Version: server.Version, Details: { ApiVersion: server.ApiVersion, MinAPIVersion: server.MinAPIVersion ?? '', Os: server.Os, Arch: server.Arch } }];
  const parts = components.map((component) => {
    const details = component.Details ?? {};
    const engine = details['ApiVersion'] !== undefined;
    const known: Array<readonly [string, string]> = engine ? [
      ['Version', component.Version],
      ['API version', `${details['ApiVersion'] ?? ''} (minimum version ${details['MinAPIVersion'] ?? server.MinAPIVersion ?? ''})`],
      ['Go version', details['GoVersion'] ?? ''], ['Git commit', details['GitCommit'] ?? ''], ['Built', details['BuildTime'] ?? ''],
      ['OS/Arch', `${details['Os'] ?? server.Os}/${details['Arch'] ?? server.Arch}`],
      ['Experimental', details['Experimental'] ?? String(server.Experimental ?? false)],
    ] : [['Version', component.Version], ...Object.entries(details)];
    return ` ${component.Name}:\n${lines('  ', 18, known)}`;
  });
  return `\nServer:${name ? ` ${name}` : ''}\n${parts.join('')}`;
}

async function version(context: CommandContext): Promise<number> {
  const { api, flags, ports } = context;
  let server: ServerVersion | null = null;
  let problem: CliError | null = null;
  let apiVersion = API_VERSION;
  try {
    server = await api.get<ServerVersion>('/version');
    apiVersion = await api.version();
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    problem = error;
  }
  const client = {
    Platform: { Name: 'minke' }, Version: ENGINE_VERSION, ApiVersion: apiVersion, DefaultAPIVersion: API_VERSION, GitCommit: 'minke', GoVersion: 'quickjs', Os: 'linux', Arch: ports.process.architecture,
    BuildTime: '', Context: 'default',
  };
  const format = flags.string('format');
  if (format === 'json') await context.print(`${goJson({ Client: client, Server: server })}\n`);
  else if (format !== '') await context.print(`${compileTemplate(format).render({ Client: client, Server: server })}\n`);
  else {
    await context.print(`Client: ${client.Platform.Name}\n${lines(' ', 19, [
      ['Version', client.Version], ['API version', apiVersion === API_VERSION ? apiVersion : `${apiVersion} (downgraded from ${API_VERSION})`],
      ['Runtime', client.GoVersion], ['OS/Arch', `linux/${client.Arch}`], ['Context', client.Context],
    ])}`);
    if (server) await context.print(serverText(server));
  }
  if (problem) throw problem;
  return 0;
}

export const versionCommand: Command = {
  path: ['version'], usage: '', summary: 'Show the versions of client and daemon', flags: [formatFlag], args: noArguments, common: true, run: version,
};
