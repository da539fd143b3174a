import { parseIpv4 } from './ipv4.ts';

export interface DnsSettings {
  servers: readonly string[];
  search: readonly string[];
  options: readonly string[];
}

const PUBLIC_SERVERS = ['8.8.8.8', '8.8.4.4'];

/**
 * A container's resolv.conf: what was asked for, else the host's without servers on loopback addresses (they mean the container
 * itself in there), else public ones, as Docker has it.
 */
export function formatResolvConf(host: string, wanted: DnsSettings, keepLoopback: boolean): string {
  const lines = host.split('\n').map((line) => line.replace(/[#;].*$/, '').trim().split(/\s+/));
  const of = (keyword: string): string[] => lines.filter(([first]) => first === keyword).flatMap((words) => words.slice(1));
  const hostServers = of('nameserver').filter((server) => keepLoopback || !isLoopback(server));
  const servers = wanted.servers.length > 0 ? wanted.servers : hostServers.length > 0 ? hostServers : PUBLIC_SERVERS;
  const lastSearch = lines.findLast(([first]) => first === 'search' || first === 'domain');
  const search = wanted.search.length > 0 ? wanted.search : (lastSearch?.slice(1) ?? []);
  const options = wanted.options.length > 0 ? wanted.options : of('options');
  return [
    ...servers.map((server) => `nameserver ${server}`),
    ...(search.length > 0 && !(search.length === 1 && search[0] === '.') ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    '',
  ].join('\n');
}

/** A container's resolv.conf when our name server answers it: search domains and options as above. */
export function formatOwnResolvConf(host: string, wanted: Omit<DnsSettings, 'servers'>, address: string): string {
  return formatResolvConf(host, { servers: [address], search: wanted.search, options: wanted.options.length > 0 ? wanted.options : ['ndots:0'] }, false);
}

/** The servers that a resolv.conf names, those on loopback addresses too: for who asks them from the host. */
export function resolvConfServers(text: string): string[] {
  return text.split('\n').flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
}

function isLoopback(server: string): boolean {
  const address = parseIpv4(server);
  return address === undefined ? server === '::1' : address >>> 24 === 127;
}

export interface HostsEntry {
  address: string;
  names: readonly string[];
}

export function formatHosts(entries: readonly HostsEntry[]): string {
  const fixed: HostsEntry[] = [
    { address: '127.0.0.1', names: ['localhost'] },
    { address: '::1', names: ['localhost', 'ip6-localhost', 'ip6-loopback'] },
    { address: 'fe00::', names: ['ip6-localnet'] },
    { address: 'ff00::', names: ['ip6-mcastprefix'] },
    { address: 'ff02::1', names: ['ip6-allnodes'] },
    { address: 'ff02::2', names: ['ip6-allrouters'] },
  ];
  return [...fixed, ...entries].map(({ address, names }) => `${address}\t${names.join(' ')}\n`).join('');
}

/** 'name:address', the address perhaps with colons or 'host-gateway'. Undefined when malformed. */
export function parseExtraHost(text: string, gateway: string): HostsEntry | undefined {
  const match = /^([^:=]+)[:=](.+)$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const address = match[2] === 'host-gateway' ? gateway : match[2].replace(/^\[(.*)\]$/, '$1');
  return parseIpv4(address) === undefined && !/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(address) ? undefined : { address, names: [match[1]] };
}
