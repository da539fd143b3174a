import { resolve } from 'host:dns';
import {
  connect, datagram, fromFd, inNetns, listen, listenFd, startTls, trustStore, type Address, type Listener as HostListener, type Stream,
} from 'host:net';
import { unlink } from 'host:fs';
import { EngineError, systemErrorCode } from '../error.ts';
import type { Connection, DialRequest, ListenAddress, Listener, Sockets } from '../ports/index.ts';

export const hostSockets: Sockets = {
  listen(address, onConnection) {
    const listener = open(address);
    void acceptAll(listener, onConnection);
    return listener;
  },
  connectUnix: (path) => connect({ unix: path }),
  adopt: fromFd,
  connectRecords: (path) => connect({ unix: path }, { records: true }),
  dial,
  async secure(connection, { trust, insecure, client, serverName, timeoutMs }) {
    // Every connection of ours is the host's stream.
    const stream = connection as Stream;
    await startTls(stream, { serverName, trust, insecure, alpn: ['http/1.1'], timeoutMs, ...(client === undefined ? {} : client) });
  },
  async secureServer(connection, { certificate, key, clients, timeoutMs }) {
    await startTls(connection as Stream, { server: true, certificate, key, timeoutMs, ...(clients === undefined ? {} : { trust: clients }) });
  },
  resolve: async (host) => (await resolve(host)).map(({ address }) => address),
  trust: (files) => trustStore({ paths: files }),
  datagrams(address, port, namespaceOfPid) {
    const socket = inside(namespaceOfPid, () => datagram({ address, port }));
    return {
      port: socket.port,
      receive: () => socket.receive(),
      send: (data, to, toPort) => socket.send(data, { address: to, port: toPort }),
      close: () => socket.close(),
    };
  },
  listenInside(pid, address, port, onConnection) {
    const listener = inside(pid, () => listen({ address, port }));
    void acceptAll(listener, onConnection);
    return listener;
  },
  reserve: (address, port) => listen({ address, port }, { backlog: 1 }),
};

async function dial({ host, port, timeoutMs }: DialRequest): Promise<Connection> {
  let failure: unknown = new Error(`${host} has no address`);
  for (const { address } of await resolve(host)) {
    try {
      return await connect({ address, port }, { timeoutMs });
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function inside<T>(pid: number | undefined, action: () => T): T {
  return pid === undefined ? action() : inNetns(`/proc/${pid}/ns/net`, action);
}

function open(address: ListenAddress): HostListener {
  if (address.kind === 'fd') return listenFd(address.fd);
  if (address.kind === 'tcp') return listen({ address: address.address, port: address.port });
  const options = { mode: address.mode, ...(address.groupId === undefined ? {} : { gid: address.groupId }) };
  return listen({ unix: address.path }, options);
}

async function acceptAll(listener: HostListener, onConnection: (connection: Connection) => void): Promise<void> {
  for (;;) {
    try {
      onConnection(await listener.accept());
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === 'ECANCELED' || code === 'EBADF') return;
      if (code !== 'ECONNABORTED' && code !== 'EPROTO') throw error;
    }
  }
}

/** Removes a unix socket that a dead daemon left behind; one that answers is an error. */
export async function clearStaleSocket(path: string): Promise<void> {
  const target: Address = { unix: path };
  try {
    (await connect(target, { timeoutMs: 2000 })).close();
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT') return;
    if (code === 'ECONNREFUSED') {
      unlink(path);
      return;
    }
    throw new EngineError('internal', 'SOCKET_UNUSABLE', `cannot listen on ${path}: ${String(code)}`, { cause: error });
  }
  throw new EngineError('conflict', 'SOCKET_IN_USE', `another process already listens on ${path}`, {
    hint: 'stop it, or name another socket with --host',
  });
}

export type { Listener };
