import { EngineError } from '../error.ts';
import { parseIpv4, parseIpv6 } from '../network/index.ts';
import type { EndpointRequest } from './config.ts';
import type { Fields } from './fields.ts';

/** Docker's EndpointSettings: what a client may ask of a container's place on a network. Throws 'invalid'. */
export function parseEndpoint(fields: Fields | undefined): EndpointRequest {
  if (fields === undefined) return {};
  const ipam = fields.record('IPAMConfig');
  const request: EndpointRequest = { Aliases: fields.texts('Aliases'), Links: fields.texts('Links') };
  for (const link of request.Links ?? []) parseLinkText(link);
  const address = ipam?.text('IPv4Address') ?? '';
  const address6 = ipam?.text('IPv6Address') ?? '';
  if (address6 !== '' && parseIpv6(address6) === undefined) throw new EngineError('invalid', 'STATIC_ADDRESS', `invalid IPv6 address: ${address6}`);
  const linkLocal = ipam?.texts('LinkLocalIPs') ?? [];
  for (const text of linkLocal) if (parseIpv4(text) === undefined) throw new EngineError('invalid', 'LINK_LOCAL', `invalid link-local IP address: ${text}`);
  if (address !== '' || address6 !== '' || linkLocal.length > 0) request.IPAMConfig = { ...(address === '' ? {} : { IPv4Address: address }), ...(address6 === '' ? {} : { IPv6Address: address6 }), ...(linkLocal.length === 0 ? {} : { LinkLocalIPs: linkLocal }) };
  const driverOptions = fields.textMap('DriverOpts');
  if (driverOptions !== undefined && Object.keys(driverOptions).length > 0) request.DriverOpts = driverOptions;
  const mac = fields.text('MacAddress');
  if (mac !== '') request.MacAddress = mac;
  return request;
}

/** 'container' or 'container:alias'; a leading slash, as older clients have it, says nothing. Throws 'invalid'. */
export function parseLinkText(text: string): { container: string; alias: string } {
  const [container = '', alias = container, ...more] = text.split(':').map((part) => part.replace(/^\//, ''));
  if (container === '' || alias === '' || more.length > 0) throw new EngineError('invalid', 'LINK_INVALID', `bad format for links: ${text}`);
  return { container, alias };
}
