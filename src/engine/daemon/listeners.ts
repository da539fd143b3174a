import { EngineError } from '../error.ts';
import type { Connection, Files, ListenAddress, Listener, Sockets } from '../ports/index.ts';

const UNIX_MODE = 0o660;

/** Where to listen, from --host and what the supervisor handed over. */
export function planListeners(hosts: readonly string[], activated: readonly number[], groupId: number | undefined): ListenAddress[] {
  return hosts.flatMap((host): ListenAddress[] => {
    if (host.startsWith('fd://')) {
      if (activated.length === 0) throw new EngineError('invalid', 'NO_ACTIVATED_SOCKET', 'no sockets found via socket activation: make sure the service was started by systemd');
      return activated.map((fd) => ({ kind: 'fd', fd }));
    }
    if (host.startsWith('unix://')) return [{ kind: 'unix', path: host.slice('unix://'.length), mode: UNIX_MODE, groupId }];
    const [, address = '', port = ''] = /^tcp:\/\/(.*):(\d+)$/.exec(host) ?? [];
    const numeric = address === '' ? '0.0.0.0' : address === 'localhost' ? '127.0.0.1' : address.replace(/^\[(.*)\]$/, '$1');
    return [{ kind: 'tcp', address: numeric, port: Number(port) }];
  });
}

/** The group that may use the socket; undefined (root alone) when the system has none of that name. */
export function findGroup(files: Files, name: string): number | undefined {
  if (name === '') return undefined;
  if (/^\d+$/.test(name)) return Number(name);
  if (!files.exists('/etc/group')) return undefined;
  const line = files.readText('/etc/group').split('\n').find((entry) => entry.startsWith(`${name}:`));
  const gid = line?.split(':')[2];
  return gid === undefined || !/^\d+$/.test(gid) ? undefined : Number(gid);
}

/** Where a unix socket that the supervisor opened lies; undefined for TCP. */
export function socketPath(files: Files, fd: number): string | undefined {
  const inode = /^socket:\[(\d+)\]$/.exec(files.readlink(`/proc/self/fd/${fd}`))?.[1];
  const line = files.readText('/proc/net/unix').split('\n').find((entry) => entry.split(/\s+/)[6] === inode);
  return line?.split(/\s+/)[7];
}

export async function openListeners(
  sockets: Sockets,
  files: Files,
  addresses: readonly ListenAddress[],
  clearStale: (path: string) => Promise<void>,
  serve: (address: ListenAddress) => (connection: Connection) => void,
): Promise<Listener[]> {
  const listeners: Listener[] = [];
  try {
    for (const address of addresses) {
      if (address.kind === 'unix') {
        const folder = address.path.slice(0, address.path.lastIndexOf('/'));
        if (folder !== '') files.mkdirs(folder, 0o755);
        await clearStale(address.path);
      }
      listeners.push(sockets.listen(address, serve(address)));
    }
    return listeners;
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
}
