import { concat } from 'host:bytes';
import { messageOf } from '../error.ts';
import type { Connection, Datagrams, Listener, System } from '../ports/index.ts';
import { formatAnswer, parseQuestion, RCODE, reverseAddress, TYPE_A, TYPE_AAAA, TYPE_PTR, type DnsQuestion } from './dns-message.ts';
import { runNft } from './firewall.ts';
import { formatNameServerRules } from './nft-ruleset.ts';

/** What one container may learn. Asked anew for every query. */
export interface NameScope {
  /** Addresses of a name on the container's networks, of both families. */
  addresses(name: string): string[];
  /** The name behind an address of them. */
  name(address: string): string | undefined;
  /** Where other queries go; none when the container has no way out. */
  servers(): string[];
}

/** A name server for each container of a user-defined network, inside its network namespace. */
export interface NameServers {
  /** Resolves when the container (a process in it) can ask. */
  open(owner: string, pid: number, scope: NameScope): Promise<void>;
  close(owner: string): void;
}

/** What resolv.conf names, as in Docker: an address that is the container's own loopback, so no firewall of the host is in the way. */
export const NAME_SERVER_ADDRESS = '127.0.0.11';

const TTL_S = 600;
const PATIENCE_MS = 2500;
const MOST_PENDING = 100;
const DNS_PORT = 53;

/**
 * The sockets have a port that the kernel chose, and a rule in the container leads queries to it: port 53 stays free for
 * containers that are name servers themselves.
 */
export function createNameServers(system: System, nft: string): NameServers {
  const open = new Map<string, { close(): void }>();
  return {
    async open(owner, pid, scope) {
      open.get(owner)?.close();
      const udp = system.sockets.datagrams(NAME_SERVER_ADDRESS, 0, pid);
      let tcp: Listener | undefined;
      try {
        tcp = system.sockets.listenInside(pid, NAME_SERVER_ADDRESS, udp.port, (connection) => void serveStream(system, connection, scope));
        await runNft(system.processes, nft, formatNameServerRules(NAME_SERVER_ADDRESS, udp.port), pid);
      } catch (error) {
        udp.close();
        tcp?.close();
        throw error;
      }
      open.set(owner, {
        close() {
          udp.close();
          tcp.close();
        },
      });
      void serveDatagrams(system, udp, scope);
    },
    close(owner) {
      open.get(owner)?.close();
      open.delete(owner);
    },
  };
}

async function serveDatagrams(system: System, socket: Datagrams, scope: NameScope): Promise<void> {
  let pending = 0;
  for (;;) {
    let query: Awaited<ReturnType<Datagrams['receive']>>;
    try {
      query = await socket.receive();
    } catch {
      return;
    }
    if (pending >= MOST_PENDING) continue;
    pending += 1;
    const { data, address, port } = query;
    const reply = async (): Promise<void> => {
      try {
        const message = await answer(system, data, scope, false);
        if (message !== undefined) socket.send(message, address, port);
      } catch (error) {
        system.reporter.log('debug', 'a name query was not answered', { error: messageOf(error) });
      } finally {
        pending -= 1;
      }
    };
    void reply();
  }
}

/** Queries over TCP stand behind their length, in two bytes. */
async function serveStream(system: System, connection: Connection, scope: NameScope): Promise<void> {
  const cancel = system.clock.after(4 * PATIENCE_MS, () => connection.close());
  try {
    const query = await readFramed(connection);
    const reply = query === undefined ? undefined : await answer(system, query, scope, true);
    if (reply !== undefined) await connection.write(framed(reply));
  } catch {
    // The client went.
  } finally {
    cancel();
    connection.close();
  }
}

async function answer(system: System, query: Uint8Array, scope: NameScope, stream: boolean): Promise<Uint8Array | undefined> {
  const question = parseQuestion(query);
  if (question === undefined) return undefined;
  const own = ownAnswer(query, question, scope, (count) => Number.parseInt(system.machine.randomHex(2), 16) % count);
  if (own !== undefined) return own;
  for (const server of scope.servers()) {
    const reply = await (stream ? askStream(system, query, server) : askDatagram(system, query, question.id, server)).catch(() => undefined);
    if (reply !== undefined) return reply;
  }
  return formatAnswer(query, question, RCODE.serverFailure, [], 0);
}

/** What our own names say; undefined for names that are not ours. `turn` picks where a list of several addresses begins. */
export function ownAnswer(query: Uint8Array, question: DnsQuestion, scope: Pick<NameScope, 'addresses' | 'name'>, turn: (count: number) => number): Uint8Array | undefined {
  const { name, type } = question;
  if (type === TYPE_PTR) {
    const address = reverseAddress(name);
    const found = address === undefined ? undefined : scope.name(address);
    return found === undefined ? undefined : formatAnswer(query, question, RCODE.ok, [{ type: 'PTR', name: found }], TTL_S);
  }
  if (type !== TYPE_A && type !== TYPE_AAAA) return undefined;
  const known = scope.addresses(name);
  if (known.length === 0) return undefined;
  // The name is ours: that it has no address of a family is the answer.
  const addresses = known.filter((address) => address.includes(':') === (type === TYPE_AAAA));
  if (addresses.length === 0) return formatAnswer(query, question, RCODE.ok, [], TTL_S);
  const first = turn(addresses.length);
  const rotated = [...addresses.slice(first), ...addresses.slice(0, first)];
  return formatAnswer(query, question, RCODE.ok, rotated.map((address) => ({ type: type === TYPE_AAAA ? 'AAAA' : 'A', address })), TTL_S);
}

async function askDatagram({ sockets, clock }: System, query: Uint8Array, id: number, server: string): Promise<Uint8Array | undefined> {
  const socket = sockets.datagrams(server.includes(':') ? '::' : '0.0.0.0', 0);
  const cancel = clock.after(PATIENCE_MS, () => socket.close());
  try {
    socket.send(query, server, DNS_PORT);
    for (;;) {
      const { data, address, port } = await socket.receive();
      if (address === server && port === DNS_PORT && data.length > 2 && ((data[0] ?? 0) << 8 | (data[1] ?? 0)) === id) return data;
    }
  } finally {
    cancel();
    socket.close();
  }
}

async function askStream({ sockets }: System, query: Uint8Array, server: string): Promise<Uint8Array | undefined> {
  const connection = await sockets.dial({ host: server, port: DNS_PORT, timeoutMs: PATIENCE_MS });
  try {
    await connection.write(framed(query));
    return await readFramed(connection);
  } finally {
    connection.close();
  }
}

function framed(message: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(message.length >> 8, message.length & 255), message]);
}

async function readFramed(connection: Connection): Promise<Uint8Array | undefined> {
  let kept: Uint8Array = new Uint8Array(0);
  for (let part = await connection.read(); part !== null; part = await connection.read()) {
    kept = concat([kept, part]);
    const length = ((kept[0] ?? 0) << 8) | (kept[1] ?? 0);
    if (kept.length >= 2 && kept.length >= length + 2) return kept.slice(2, length + 2);
  }
  return undefined;
}
