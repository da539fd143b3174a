import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../flags/parse-flags.ts';
import { splitCsv } from './mount-spec.ts';

export interface EndpointSettings {
  Aliases?: string[] | null;
  Links?: string[] | null;
  DriverOpts?: Record<string, string> | null;
  MacAddress?: string;
  GwPriority?: number;
  IPAMConfig?: { IPv4Address?: string; IPv6Address?: string; LinkLocalIPs?: string[] } | null;
}

export interface NetworkChoice {
  readonly mode: string;
  readonly endpoints: Record<string, EndpointSettings>;
}

interface Attachment {
  target: string;
  aliases: string[];
  driverOptions: Record<string, string>;
  ip: string;
  ip6: string;
  mac: string;
  linkLocal: string[];
  priority: number;
}

/** One --network value: a name, or name=…,alias=…,ip=…. */
function parseAttachment(value: string): Attachment {
  const attachment: Attachment = { target: value, aliases: [], driverOptions: {}, ip: '', ip6: '', mac: '', linkLocal: [], priority: 0 };
  if (!/^\w[\w-]*=/.test(value)) return attachment;
  attachment.target = '';
  for (const field of splitCsv(value)) {
    const equals = field.indexOf('=');
    const key = field.slice(0, Math.max(0, equals)).trim().toLowerCase();
    const text = field.slice(equals + 1).trim();
    switch (key) {
      case 'name': attachment.target = text; break;
      case 'alias': attachment.aliases.push(text); break;
      case 'ip': attachment.ip = text; break;
      case 'ip6': attachment.ip6 = text; break;
      case 'mac-address': attachment.mac = text; break;
      case 'link-local-ip': attachment.linkLocal.push(text); break;
      case 'gw-priority': attachment.priority = Number(text); break;
      case 'driver-opt': {
        const [name = '', ...option] = text.split('=');
        attachment.driverOptions[name] = option.join('=');
        break;
      }
      default: throw new CliError(`invalid argument ${JSON.stringify(value)} for "--network" flag: invalid field key ${key === '' ? field : key}`);
    }
  }
  if (attachment.target === '') throw new CliError(`invalid argument ${JSON.stringify(value)} for "--network" flag: network name/id is not specified`);
  return attachment;
}

function isUserDefined(name: string): boolean {
  return !['', 'default', 'bridge', 'host', 'none'].includes(name) && !name.startsWith('container:');
}

/** The network mode and the settings for each network, out of --network and the flags that shape the first one. */
export function chooseNetworks(flags: FlagValues): NetworkChoice {
  const attachments = flags.list('network').map(parseAttachment);
  if (attachments.length > 1 && attachments.some(({ target }) => ['host', 'none'].includes(target) || target.startsWith('container:'))) {
    throw new CliError('conflicting options: cannot attach both user-defined and non-user-defined network-modes');
  }
  const first = attachments[0] ?? parseAttachment('default');
  const aliases = flags.list('network-alias');
  const links = flags.list('link');
  const conflict = (flag: string, field: string, one: boolean, other: boolean) => {
    if (one && other) throw new CliError(`conflicting options: cannot specify both --${flag} and per-network ${field}`);
  };
  conflict('network-alias', 'alias', aliases.length > 0, first.aliases.length > 0);
  conflict('ip', 'IPv4 address', flags.given('ip'), first.ip !== '');
  conflict('ip6', 'IPv6 address', flags.given('ip6'), first.ip6 !== '');
  conflict('mac-address', 'MAC address', flags.given('mac-address'), first.mac !== '');
  if (aliases.length > 0) first.aliases.push(...aliases);
  if (flags.given('ip')) first.ip = flags.string('ip');
  if (flags.given('ip6')) first.ip6 = flags.string('ip6');
  if (flags.given('mac-address')) first.mac = flags.string('mac-address');
  first.linkLocal.push(...flags.list('link-local-ip'));

  const endpoints: Record<string, EndpointSettings> = {};
  for (const attachment of attachments.length > 0 ? attachments : [first]) {
    const settings = endpointOf(attachment, attachment === first && isUserDefined(first.target) ? links : []);
    if (endpoints[attachment.target]) throw new CliError(`network "${attachment.target}" is specified multiple times`);
    endpoints[attachment.target] = settings;
  }
  return { mode: first.target, endpoints };
}

function endpointOf(attachment: Attachment, links: readonly string[]): EndpointSettings {
  const settings: EndpointSettings = {};
  if (attachment.aliases.length > 0) settings.Aliases = attachment.aliases;
  if (links.length > 0) settings.Links = [...links];
  if (Object.keys(attachment.driverOptions).length > 0) settings.DriverOpts = attachment.driverOptions;
  if (attachment.mac !== '') settings.MacAddress = attachment.mac;
  if (attachment.priority !== 0) settings.GwPriority = attachment.priority;
  const { ip, ip6, linkLocal } = attachment;
  if (ip !== '' || ip6 !== '' || linkLocal.length > 0) {
    settings.IPAMConfig = { ...(ip === '' ? {} : { IPv4Address: ip }), ...(ip6 === '' ? {} : { IPv6Address: ip6 }), ...(linkLocal.length === 0 ? {} : { LinkLocalIPs: linkLocal }) };
  }
  return settings;
}
