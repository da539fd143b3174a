import { CliError } from './cli-error.ts';
import type { FlagValues } from './flags/parse-flags.ts';
import { errorCode, reasonOf, type CliPorts, type Endpoint } from './ports.ts';
import { parseEndpoint } from './endpoint.ts';

/** What the client's own configuration says; the daemon has another. */
export interface ClientConfig {
  readonly host: string;
  readonly endpoint: Endpoint;
  readonly debug: boolean;
  readonly directory: string;
  /** Keys of config.json that are used. */
  readonly detachKeys: string;
  readonly formats: Readonly<Record<string, string>>;
  readonly httpHeaders: Readonly<Record<string, string>>;
  readonly auths: Readonly<Record<string, AuthEntry>>;
  readonly credsStore: string;
  readonly credHelpers: Readonly<Record<string, string>>;
}

export interface AuthEntry {
  readonly auth?: string;
  readonly identitytoken?: string;
}

export const defaultSocket = 'unix:///run/minke.sock';

/** Which daemon to ask and how: flags before environment before config.json. */
export function readClientConfig(ports: CliPorts, program: string, globals: FlagValues): ClientConfig {
  const environment = ports.process.environment();
  const directory = globals.string('config') || environment['DOCKER_CONFIG'] || `${environment['HOME'] ?? '/root'}/.docker`;
  const path = `${directory}/config.json`;
  const file = readConfigFile(ports, path);
  const hosts = globals.list('host');
  if (hosts.length > 1) throw new CliError('specify only one -H');
  const host = hosts[0] ?? (nonEmpty(environment['MINKE_HOST']) ?? nonEmpty(environment['DOCKER_HOST']) ?? defaultHost(ports, program));
  const verify = globals.given('tlsverify') ? globals.bool('tlsverify') : (environment['DOCKER_TLS_VERIFY'] ?? '') !== '';
  const certificates = nonEmpty(environment['DOCKER_CERT_PATH']) ?? directory;
  const tlsFile = (flag: string, name: string) => globals.string(flag) || `${certificates}/${name}`;
  const tls = globals.bool('tls') || verify
    ? { verify, ...existing(ports, 'caPath', tlsFile('tlscacert', 'ca.pem')), ...existing(ports, 'certificatePath', tlsFile('tlscert', 'cert.pem')), ...existing(ports, 'keyPath', tlsFile('tlskey', 'key.pem')) }
    : null;
  const text = (key: string) => (typeof file[key] === 'string' ? file[key] : '');
  const table = (key: string): Readonly<Record<string, never>> => (typeof file[key] === 'object' && file[key] !== null ? file[key] as Readonly<Record<string, never>> : {});
  return {
    host, endpoint: parseEndpoint(host, tls), debug: globals.bool('debug'), directory,
    detachKeys: text('detachKeys'),
    formats: Object.fromEntries(Object.entries(file).filter((entry): entry is [string, string] => entry[0].endsWith('Format') && typeof entry[1] === 'string')),
    httpHeaders: table('HttpHeaders'), auths: table('auths'), credsStore: text('credsStore'), credHelpers: table('credHelpers'),
  };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

/** Called as docker where only Docker's usual socket exists (a link to ours), that one is meant. */
function defaultHost(ports: CliPorts, program: string): string {
  if (program !== 'docker') return defaultSocket;
  const exists = (path: string) => ports.files.stat(path) !== null;
  return !exists('/run/minke.sock') && exists('/var/run/docker.sock') ? 'unix:///var/run/docker.sock' : defaultSocket;
}

function existing(ports: CliPorts, key: string, path: string): Record<string, string> {
  return ports.files.stat(path) ? { [key]: path } : {};
}

function readConfigFile(ports: CliPorts, path: string): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = ports.files.readText(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return {};
    throw new CliError(`cannot read ${path}: ${reasonOf(error)}`, 1, { cause: error });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Fall through to the message below.
  }
  throw new CliError(`${path} is not a JSON object; correct it or name another folder with --config`);
}
