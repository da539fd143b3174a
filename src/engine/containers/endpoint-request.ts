import { EngineError } from '../error.ts';
import { parseIpv4 } from '../network/index.ts';
import type { EndpointRequest } from './config.ts';
import type { Fields } from './fields.ts';

/** Docker's EndpointSettings: what a client may ask of a container's place on a network. Throws 'invalid', and 'not-implemented' for IPv6 addresses. */
export function parseEndpoint(fields: Fields | undefined): EndpointRequest {
  if (fields === undefined) return {};
  const ipam = fields.record('IPAMConfig');
  if ((ipam?.text('IPv6Address') ?? '') !== '') throw new EngineError('not-implemented', 'NETWORK_IPV6', 'IPv6 addresses are not supported yet');
  const request: EndpointRequest = { Aliases: fields.texts('Aliases'), Links: fields.texts('Links') };
  for (const link of request.Links ?? []) parseLinkText(link);
  const address = ipam?.text('IPv4Address') ?? '';
  const linkLocal = ipam?.texts('LinkLocalIPs') ?? [];
  for (const text of linkLocal) if (parseIpv4(text) === undefined) throw new EngineError('invalid', 'LINK_LOCAL', `invalid link-local IP address: ${text}`);
  if (address !== '' || linkLocal.length > 0) request.IPAMConfig = { ...(address === '' ? {} : { IPv4Address: address }), ...(linkLocal.length === 0 ? {} : { LinkLocalIPs: linkLocal }) };
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
