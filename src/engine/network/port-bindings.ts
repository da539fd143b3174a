import { EngineError, systemErrorCode } from '../error.ts';
import { parseIpv4 } from './ipv4.ts';

/** Docker's map: '80/tcp' → where it is published. */
export type PortMap = Record<string, { HostIp?: string; HostPort?: string }[] | null>;

export interface PortRequest {
  protocol: 'tcp' | 'udp';
  containerPort: number;
  hostAddress: string;
  /** Candidates, in order; one is wanted. First and last equal for a fixed port, 0 and 0 for any. */
  firstHostPort: number;
  lastHostPort: number;
}

export interface PortLease {
  protocol: 'tcp' | 'udp';
  containerPort: number;
  hostAddress: string;
  hostPort: number;
}

const DYNAMIC_FIRST = 32768;
const DYNAMIC_LAST = 60999;

/** '80', '80/tcp', '53/udp'. Throws 'invalid'. */
export function parseContainerPort(text: string): { port: number; protocol: 'tcp' | 'udp' } {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(text);
  const port = Number(match?.[1]);
  const protocol = (match?.[2] ?? 'tcp').toLowerCase();
  if (match === null || port < 1 || port > 65535) throw new EngineError('invalid', 'PORT_INVALID', `invalid port specification: ${JSON.stringify(text)}`);
  if (protocol === 'sctp') throw new EngineError('not-implemented', 'PORT_PROTOCOL', 'publishing SCTP ports is not supported; tcp and udp are');
  return { port, protocol: protocol === 'udp' ? 'udp' : 'tcp' };
}

/** Everything that a container wants published. */
export function planPorts(bindings: PortMap, exposed: readonly string[], publishAll: boolean): PortRequest[] {
  const requests: PortRequest[] = [];
  for (const [name, places] of Object.entries(bindings)) {
    const { port, protocol } = parseContainerPort(name);
    for (const { HostIp = '', HostPort = '' } of places ?? []) {
      if (HostIp.includes(':')) throw new EngineError('not-implemented', 'PORT_IPV6', `publishing on the IPv6 address ${HostIp} is not supported yet`);
      if (HostIp !== '' && parseIpv4(HostIp) === undefined) throw new EngineError('invalid', 'PORT_INVALID', `invalid IP address: ${HostIp}`);
      const range = /^(?:(\d{1,5})(?:-(\d{1,5}))?)?$/.exec(HostPort);
      const first = Number(range?.[1] ?? 0);
      const last = Number(range?.[2] ?? first);
      if (range === null || first > 65535 || last > 65535 || last < first) throw new EngineError('invalid', 'PORT_INVALID', `invalid port specification: ${JSON.stringify(HostPort)}`);
      requests.push({ protocol, containerPort: port, hostAddress: HostIp, firstHostPort: first, lastHostPort: last });
    }
  }
  if (publishAll) {
    for (const name of exposed) {
      const { port, protocol } = parseContainerPort(name);
      if (requests.some((request) => request.containerPort === port && request.protocol === protocol)) continue;
      requests.push({ protocol, containerPort: port, hostAddress: '', firstHostPort: 0, lastHostPort: 0 });
    }
  }
  return requests;
}

/** Host ports that our containers have, and the sockets that keep other programs off them. */
export interface PortBook {
  /** All or none of them. */
  lease(owner: string, requests: readonly PortRequest[]): PortLease[];
  release(owner: string): void;
}

type Reserve = (address: string, port: number) => { close(): void };

export function createPortBook(reserve: Reserve): PortBook {
  const held = new Map<string, { owner: string; socket: { close(): void } | undefined }>();
  let cursor = DYNAMIC_FIRST;

  const key = (protocol: string, address: string, port: number): string => `${protocol} ${address === '' ? '0.0.0.0' : address} ${port}`;
  const taken = (protocol: string, address: string, port: number): boolean => {
    const everywhere = address === '' || address === '0.0.0.0';
    if (held.has(key(protocol, address, port)) || held.has(key(protocol, '', port))) return true;
    return everywhere && [...held.keys()].some((name) => name.startsWith(`${protocol} `) && name.endsWith(` ${port}`));
  };
  const take = (owner: string, request: PortRequest, port: number): boolean => {
    if (taken(request.protocol, request.hostAddress, port)) return false;
    let socket: { close(): void } | undefined;
    if (request.protocol === 'tcp') {
      try {
        socket = reserve(request.hostAddress === '' ? '0.0.0.0' : request.hostAddress, port);
      } catch (error) {
        if (systemErrorCode(error) === 'EADDRINUSE') return false;
        if (systemErrorCode(error) === 'EADDRNOTAVAIL') {
          throw new EngineError('internal', 'PORT_ADDRESS', `cannot publish on ${request.hostAddress}:${port}: the host does not have this address`);
        }
        throw error;
      }
    }
    held.set(key(request.protocol, request.hostAddress, port), { owner, socket });
    return true;
  };
  const find = (owner: string, request: PortRequest): number => {
    const dynamic = request.firstHostPort === 0;
    const first = dynamic ? DYNAMIC_FIRST : request.firstHostPort;
    const last = dynamic ? DYNAMIC_LAST : request.lastHostPort;
    for (let tried = 0; tried <= last - first; tried += 1) {
      const port = dynamic ? cursor : first + tried;
      if (dynamic) cursor = cursor === DYNAMIC_LAST ? DYNAMIC_FIRST : cursor + 1;
      if (take(owner, request, port)) return port;
    }
    const where = `${request.hostAddress === '' ? '0.0.0.0' : request.hostAddress}:${request.firstHostPort}`;
    throw new EngineError('internal', 'PORT_IN_USE', dynamic ? 'no free host port is left' : `Bind for ${where} failed: port is already allocated`);
  };
  const release = (owner: string): void => {
    for (const [name, entry] of held) {
      if (entry.owner !== owner) continue;
      entry.socket?.close();
      held.delete(name);
    }
  };

  return {
    release,
    lease(owner, requests) {
      try {
        return requests.map((request) => ({
          protocol: request.protocol,
          containerPort: request.containerPort,
          hostAddress: request.hostAddress,
          hostPort: find(owner, request),
        }));
      } catch (error) {
        release(owner);
        throw error;
      }
    },
  };
}
