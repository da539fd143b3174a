import { CliError } from '../cli-error.ts';
import { between, type Command } from '../command.ts';
import { inPath } from './each.ts';

interface PortHolder {
  readonly NetworkSettings: { readonly Ports?: Readonly<Record<string, ReadonlyArray<{ readonly HostIp: string; readonly HostPort: string }> | null>> | null };
}

export const portCommand: Command = {
  path: ['container', 'port'], aliases: [['port']], usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]', summary: 'Show published ports', flags: [], args: between(1, 2), completeArgs: 'running',
  async run(context) {
    const [name = '', wanted] = context.args;
    const container = await context.api.get<PortHolder>(`/containers/${inPath(name)}/json`);
    const ports = container.NetworkSettings.Ports ?? {};
    const place = (binding: { HostIp: string; HostPort: string }) => (binding.HostIp.includes(':') ? `[${binding.HostIp}]:${binding.HostPort}` : `${binding.HostIp}:${binding.HostPort}`);
    if (wanted === undefined) {
      const lines = Object.entries(ports).flatMap(([port, bindings]) => (bindings ?? []).map((binding) => ({ port, line: `${port} -> ${place(binding)}` })))
        .sort((a, b) => Number.parseInt(a.port, 10) - Number.parseInt(b.port, 10) || (a.line < b.line ? -1 : 1));
      await context.print(lines.map(({ line }) => `${line}\n`).join(''));
      return 0;
    }
    const key = wanted.includes('/') ? wanted : `${wanted}/tcp`;
    if (!/^\d+\/\w+$/.test(key)) throw new CliError(`Error: invalid port '${wanted}'`);
    const bindings = ports[key];
    if (!bindings || bindings.length === 0) throw new CliError(`Error: No public port '${wanted}' published for ${name}`);
    await context.print(bindings.map((binding) => `${place(binding)}\n`).join(''));
    return 0;
  },
};
