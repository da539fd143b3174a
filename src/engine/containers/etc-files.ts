import { EngineError } from '../error.ts';
import { DEFAULT_BRIDGE_ID, formatHosts, formatOwnResolvConf, formatResolvConf, NAME_SERVER_ADDRESS, parseExtraHost, type HostsEntry } from '../network/index.ts';
import { hasNames } from './attachments.ts';
import type { Container } from './collection.ts';
import type { ContainerContext } from './context.ts';
import { parseLinkText } from './endpoint-request.ts';
import { isLive, type ContainerRecord } from './record.ts';

/** Where a container's /etc/hosts, hostname and resolv.conf lie: with the container whose network it shares, if it does. */
export function etcFiles(context: ContainerContext, record: ContainerRecord): { hosts: string; hostname: string; resolvConf: string } {
  const { collection } = context;
  const mode = record.hostConfig.NetworkMode;
  const own = collection.folder(record.id);
  const shared = mode.startsWith('container:') ? collection.folder(collection.find(mode.slice('container:'.length)).id) : own;
  return { hosts: `${shared}/hosts`, hostname: `${own}/hostname`, resolvConf: `${shared}/resolv.conf` };
}

/** With the network of another container comes its name. */
export function hostnameOf({ system, collection }: ContainerContext, { config, hostConfig }: ContainerRecord): string {
  if (hostConfig.UTSMode === 'host') return system.machine.hostname();
  const mode = hostConfig.NetworkMode;
  return mode.startsWith('container:') ? collection.find(mode.slice('container:'.length)).record.config.Hostname : config.Hostname;
}

/** Writes them in place: a running container sees the change. */
export function writeEtc(context: ContainerContext, { record }: Container): void {
  const { files } = context.system;
  const { hostConfig, config } = record;
  const paths = etcFiles(context, record);
  const hostname = hostnameOf(context, record);
  files.writeText(paths.hostname, `${hostname}\n`);
  if (hostConfig.NetworkMode.startsWith('container:')) return;
  const hostNetwork = hostConfig.NetworkMode === 'host';
  const names = config.Domainname === '' ? [hostname] : [`${hostname}.${config.Domainname}`, hostname];
  const gateway = (context.networks.byId(DEFAULT_BRIDGE_ID) ?? context.networks.all()[0])?.bridge.gateway ?? '127.0.0.1';
  const extra = (hostConfig.ExtraHosts ?? []).map((text) => {
    const entry = parseExtraHost(text, gateway);
    if (entry === undefined) throw new EngineError('invalid', 'EXTRA_HOST', `bad format for add-host: ${JSON.stringify(text)}`);
    return entry;
  });
  const own = record.attachments.filter(({ address }) => address !== '').flatMap(({ address, address6 }) => (address6 === undefined ? [address] : [address, address6]).map((own) => ({ address: own, names })));
  files.writeText(paths.hosts, hostNetwork && extra.length === 0 ? readOr(context, '/etc/hosts') : formatHosts([...extra, ...linkedHosts(context, record), ...own]));
  const wanted = {
    servers: hostConfig.Dns.length > 0 ? hostConfig.Dns : hostNetwork ? [] : context.dns.servers,
    search: hostConfig.DnsSearch.length > 0 ? hostConfig.DnsSearch : context.dns.search,
    options: hostConfig.DnsOptions.length > 0 ? hostConfig.DnsOptions : context.dns.options,
  };
  const host = hostResolvConf(context);
  files.writeText(paths.resolvConf, hasNames(context, record) ? formatOwnResolvConf(host, wanted, NAME_SERVER_ADDRESS) : formatResolvConf(host, wanted, hostNetwork));
}

/** On the default bridge, which has no name server, links are lines of /etc/hosts. Throws 'conflict' when the other container is not there. */
function linkedHosts({ collection }: ContainerContext, { name, hostConfig, attachments }: ContainerRecord): HostsEntry[] {
  if (attachments.every(({ networkId }) => networkId !== DEFAULT_BRIDGE_ID)) return [];
  return (hostConfig.Links ?? []).map((text) => {
    const { container, alias } = parseLinkText(text);
    const { record } = collection.find(container);
    if (!isLive(record.state)) throw new EngineError('conflict', 'LINK_STOPPED', `Cannot link to a non running container: /${record.name} AS /${name}/${alias}`);
    const address = record.attachments.find(({ networkId }) => networkId === DEFAULT_BRIDGE_ID)?.address ?? '';
    if (address === '') throw new EngineError('conflict', 'LINK_ELSEWHERE', `Cannot link to /${record.name}, as it does not belong to the default network`);
    return { address, names: [...new Set([alias, record.config.Hostname, record.name])] };
  });
}

/** Behind systemd-resolved's stub stand the real servers. */
function hostResolvConf(context: ContainerContext): string {
  const text = readOr(context, '/etc/resolv.conf');
  return /^nameserver\s+127\.0\.0\.53\s*$/m.test(text) ? readOr(context, '/run/systemd/resolve/resolv.conf') || text : text;
}

function readOr({ system }: ContainerContext, path: string): string {
  return system.files.exists(path) ? system.files.readText(path) : '';
}
