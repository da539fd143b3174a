import { CliError } from '../cli-error.ts';

export interface PortBinding {
  readonly HostIp: string;
  readonly HostPort: string;
}

export interface PublishedPorts {
  readonly exposed: Record<string, Record<string, never>>;
  readonly bindings: Record<string, PortBinding[]>;
}

interface PortRange {
  readonly first: number;
  readonly last: number;
}

function parseRange(text: string): PortRange | null {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (!match) return null;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= 65535 ? { first, last } : null;
}

function splitProtocol(text: string, whole: string): [string, string] {
  const [ports = '', protocol = 'tcp', ...rest] = text.split('/');
  const name = protocol === '' ? 'tcp' : protocol.toLowerCase();
  if (rest.length > 0 || !['tcp', 'udp', 'sctp'].includes(name)) throw new CliError(`invalid proto: ${text.slice(text.indexOf('/') + 1) || whole}`);
  return [ports, name];
}

/** Reads --publish values ([ip:][host[-host]:]container[-container][/proto]) and --expose values. */
export function parsePorts(publish: readonly string[], expose: readonly string[]): PublishedPorts {
  const exposed: Record<string, Record<string, never>> = {};
  const bindings: Record<string, PortBinding[]> = {};
  for (const spec of publish) addPublished(spec.includes('=') ? longForm(spec) : spec, exposed, bindings);
  for (const spec of expose) {
    if (spec.includes(':')) throw new CliError(`invalid port format for --expose: ${spec}`);
    const [ports, protocol] = splitProtocol(spec, spec);
    const range = parseRange(ports);
    if (!range) throw new CliError(`invalid range format for --expose: ${spec}`);
    for (let port = range.first; port <= range.last; port++) exposed[`${port}/${protocol}`] = {};
  }
  return { exposed, bindings };
}

/** "target=80,published=8080,protocol=tcp" in the short form. */
function longForm(spec: string): string {
  const fields = new Map(spec.split(',').map((part) => {
    const [key = '', value = ''] = part.split('=', 2);
    if (!['target', 'published', 'protocol', 'mode'].includes(key)) throw new CliError(`invalid field key ${key}`);
    return [key, value] as const;
  }));
  return `${fields.get('published') ?? ''}:${fields.get('target') ?? ''}/${fields.get('protocol') ?? 'tcp'}`;
}

function addPublished(spec: string, exposed: Record<string, Record<string, never>>, bindings: Record<string, PortBinding[]>): void {
  const [rest, protocol] = splitProtocol(spec, spec);
  const parts = rest.split(':');
  const containerText = parts.pop() ?? '';
  const hostText = parts.pop() ?? '';
  const ip = parts.join(':').replace(/^\[(.*)\]$/, '$1');
  if (containerText === '') throw new CliError(`no port specified: ${spec}<empty>`);
  const container = parseRange(containerText);
  if (!container) throw new CliError(`invalid containerPort: ${containerText}`);
  const host = hostText === '' ? null : parseRange(hostText);
  if (hostText !== '' && !host) throw new CliError(`invalid hostPort: ${hostText}`);
  if (ip !== '' && !isIpAddress(ip)) throw new CliError(`invalid IP address: ${ip}`);
  const count = container.last - container.first;
  if (host && host.last - host.first !== count && count > 0) throw new CliError(`invalid ranges specified for container and host Ports: ${containerText} and ${hostText}`);
  for (let offset = 0; offset <= count; offset++) {
    const key = `${container.first + offset}/${protocol}`;
    exposed[key] = {};
    // One container port with a range of host ports: the daemon picks one of them.
    const hostPort = !host ? '' : count === 0 && host.last > host.first ? hostText : String(host.first + offset);
    (bindings[key] ??= []).push({ HostIp: ip, HostPort: hostPort });
  }
}

export function isIpAddress(text: string): boolean {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return text.split('.').every((part) => Number(part) <= 255);
  const [address = ''] = text.split('%');
  const groups = address.split(':');
  const gaps = address.split('::').length - 1;
  if (gaps > 1 || !/^[\da-f:]+(:\d{1,3}(\.\d{1,3}){3})?$/i.test(address)) return false;
  const count = groups.filter((group) => group !== '').length + (address.includes('.') ? 1 : 0);
  return groups.every((group) => group.includes('.') || group.length <= 4) && (gaps === 1 ? count < 8 : count === 8 && !groups.includes(''));
}
