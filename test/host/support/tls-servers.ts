import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, TLSSocket, type TlsOptions } from 'node:tls';

function openssl(folder: string, ...args: string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** An authority (ca), a good server, an expired one and a client, as PEM files. */
export function makeCertificates(folder: string): void {
  const key = (name: string): void => openssl(folder, 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
  key('ca');
  openssl(folder, 'req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=Test Authority', '-days', '30', '-out', 'ca.crt');
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:server.test,IP:127.0.0.1\n');
  for (const [name, days] of [['server', '30'], ['expired', '-1'], ['client', '30']] as const) {
    key(name);
    openssl(folder, 'req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}.test`, '-out', `${name}.csr`);
    openssl(folder, 'x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', days, '-extfile', 'names', '-out', `${name}.crt`);
  }
}

export interface TlsServers {
  ports: { good: number; expired: number; rude: number; client: number; plain: number; silent: number; old: number };
  close: () => void;
}

/** Servers on loopback: two that echo (`good`, `client` wants a certificate), and several that misbehave. */
export async function startTlsServers(folder: string): Promise<TlsServers> {
  const pem = (name: string): Buffer => readFileSync(join(folder, name));
  const identity = (name: string): TlsOptions => ({ key: pem(`${name}.key`), cert: pem(`${name}.crt`) });
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const start = async (server: Server): Promise<number> => {
    servers.push(server);
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  };
  const echo = (options: TlsOptions): Server => {
    const server = createTlsServer({ ALPNProtocols: ['http/1.1'], ...options }, (socket) => void socket.on('error', () => undefined).pipe(socket));
    return server.on('tlsClientError', () => undefined);
  };
  const rude = createServer((raw) => {
    const secure = new TLSSocket(raw, { isServer: true, ...identity('server') });
    secure.on('error', () => undefined);
    secure.once('data', () => raw.end()); // the end of TCP without the end of TLS
  });
  const ports = {
    good: await start(echo(identity('server'))),
    expired: await start(echo(identity('expired'))),
    rude: await start(rude),
    client: await start(echo({ ...identity('server'), ca: [pem('ca.crt')], requestCert: true, rejectUnauthorized: true })),
    plain: await start(createServer((socket) => void socket.on('error', () => undefined).write('220 this is no TLS at all\r\n'))),
    silent: await start(createServer(() => undefined)),
    old: await start(echo({ ...identity('server'), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })),
  };
  return {
    ports,
    close: () => {
      for (const server of servers) server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
