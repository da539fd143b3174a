import { EngineError, systemErrorCode } from '../error.ts';
import { parseIpv4 } from './ipv4.ts';
import { formatIpv6, parseIpv6 } from './ipv6.ts';

/** Docker's map: '80/tcp' → where it is published. */
export type PortMap = Record<string, { HostIp?: string; HostPort?: string }[] | null>;

export interface PortRequest {
  protocol: 'tcp' | 'udp';
  containerPort: number;
  /** '' for every address of the host; '::' for every IPv6 one. */
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
      const range = /^(?:(\d{1,5})(?:-(\d{1,5}))?)?$/.exec(HostPort);
      const first = Number(range?.[1] ?? 0);
      const last = Number(range?.[2] ?? first);
      if (range === null || first > 65535 || last > 65535 || last < first) throw new EngineError('invalid', 'PORT_INVALID', `invalid port specification: ${JSON.stringify(HostPort)}`);
      requests.push({ protocol, containerPort: port, hostAddress: parseHostAddress(HostIp), firstHostPort: first, lastHostPort: last });
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

function parseHostAddress(text: string): string {
  const six = parseIpv6(text);
  if (text !== '' && six === undefined && parseIpv4(text) === undefined) throw new EngineError('invalid', 'PORT_INVALID', `invalid IP address: ${text}`);
  if (six === 1n) throw new EngineError('invalid', 'PORT_LOOPBACK6', 'ports cannot be published on ::1', { hint: 'publish on 127.0.0.1: the kernel leads nothing from ::1 to another interface' });
  return six === undefined ? text : formatIpv6(six);
}

/** Whether two host addresses have one in common. */
function meet(a: string, b: string): boolean {
  if (a === b || a === '' || b === '') return true;
  if (a.includes(':') !== b.includes(':')) return false;
  return [a, b].some((address) => address === '0.0.0.0' || address === '::');
}

/** Host ports that our containers have, and the sockets that keep other programs off them. */
export interface PortBook {
  /** All or none of them. */
  lease(owner: string, requests: readonly PortRequest[]): PortLease[];
  release(owner: string): void;
}

type Reserve = (address: string, port: number) => { close(): void };

export function createPortBook(reserve: Reserve): PortBook {
  const held = new Set<{ owner: string; protocol: string; address: string; port: number; socket: { close(): void } | undefined }>();
  let cursor = DYNAMIC_FIRST;

  const taken = (protocol: string, address: string, port: number): boolean => [...held].some((other) => other.port === port && other.protocol === protocol && meet(other.address, address));
  const take = (owner: string, request: PortRequest, port: number): boolean => {
    if (taken(request.protocol, request.hostAddress, port)) return false;
    let socket: { close(): void } | undefined;
    // Of all IPv6 addresses none is held: a socket there would keep clients of ::1 waiting, who else try 127.0.0.1.
    if (request.protocol === 'tcp' && request.hostAddress !== '::') {
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
    held.add({ owner, protocol: request.protocol, address: request.hostAddress, port, socket });
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
    for (const entry of held) {
      if (entry.owner !== owner) continue;
      entry.socket?.close();
      held.delete(entry);
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
