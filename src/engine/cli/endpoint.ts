import { CliError } from './cli-error.ts';
import type { Endpoint, TlsMaterial } from './ports.ts';

/** Reads "unix:///run/minke.sock", "tcp://host:2375", "host:2375" or "host". */
export function parseEndpoint(host: string, tls: TlsMaterial | null): Endpoint {
  const match = /^([a-z]+):\/\/(.*)$/.exec(host);
  const scheme = match?.[1] ?? 'tcp';
  const rest = match?.[2] ?? host;
  switch (scheme) {
    case 'unix':
      if (rest === '') throw new CliError(`invalid host "${host}": the path of the socket is missing`);
      return { kind: 'unix', path: rest };
    case 'tcp': case 'http': case 'https': {
      const parts = /^(?:\[([^\]]+)\]|([^:/]*))(?::(\d+))?\/?$/.exec(rest);
      const port = Number(parts?.[3] ?? (tls ? 2376 : 2375));
      if (!parts || port < 1 || port > 65535) throw new CliError(`invalid host "${host}": expected tcp://HOST[:PORT]`);
      const name = parts[1] ?? parts[2] ?? '';
      return { kind: 'tcp', host: name === '' ? '127.0.0.1' : name, port, tls };
    }
    case 'ssh':
      throw new CliError('ssh:// hosts are not supported: forward the socket with "ssh -L /tmp/minke.sock:/run/minke.sock HOST" and use unix:///tmp/minke.sock');
    default:
      throw new CliError(`unable to parse host "${host}": unknown protocol "${scheme}"; use unix:// or tcp://`);
  }
}
