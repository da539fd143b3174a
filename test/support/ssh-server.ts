import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';

import { execa } from 'execa';

import { freePort } from '../../src/device/free-port.ts';

export interface SshServer {
  /** Where the client connects to: a relay, so that the connection can be cut. */
  port: number;
  user: string;
  /** Private key that is let in. */
  identity: string;
  /** Line of known_hosts for the server as it is reached. */
  knownHost: string;
  /** Cuts all connections. */
  drop(): void;
  /** Lets nothing through any more in either direction, without closing anything. */
  freeze(): void;
  close(): Promise<void>;
}

/** OpenSSH's own server on loopback, with a host key and an authorized key of its own, for the user that runs the test. */
export async function startSshServer(): Promise<SshServer> {
  const work = await mkdtemp(join(tmpdir(), 'osbuild-sshd-'));
  const keys = { host: join(work, 'host'), user: join(work, 'user') };
  for (const file of Object.values(keys)) await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', file]);
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true });
  const [inner, port] = [await freePort(), await freePort()];
  await writeFile(
    join(work, 'config'),
    `Port ${inner}
ListenAddress 127.0.0.1
HostKey ${keys.host}
AuthorizedKeysFile ${keys.user}.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
SetEnv PATH=${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
`,
  );
  await chmod(work, 0o755);
  const sshd = execa('/usr/sbin/sshd', ['-D', '-e', '-f', join(work, 'config')], { reject: false, all: true, forceKillAfterDelay: 5000 });
  const pairs = new Set<[Socket, Socket]>();
  const relay = createServer((near) => {
    const far = connect(inner, '127.0.0.1');
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    for (const socket of pair) socket.on('error', () => undefined).once('close', () => pair.forEach((other) => other.destroy()));
    near.once('close', () => pairs.delete(pair));
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => relay.listen(port, '127.0.0.1', resolve));
  for (let attempt = 0; !(await answers(inner)); attempt++) {
    if (attempt === 300 || (sshd.exitCode !== null && sshd.exitCode !== undefined)) throw new Error(`sshd did not start: ${(await sshd).all}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { stdout } = await execa('cat', [`${keys.host}.pub`]);
  return {
    port,
    user: userInfo().username,
    identity: keys.user,
    knownHost: `[127.0.0.1]:${port} ${stdout.split(' ').slice(0, 2).join(' ')}`,
    drop: () => pairs.forEach(([near, far]) => (near.resetAndDestroy(), far.resetAndDestroy())),
    freeze: () =>
      pairs.forEach((pair) =>
        pair.forEach((socket) => {
          socket.unpipe();
          socket.pause();
        }),
      ),
    async close() {
      pairs.forEach((pair) => pair.forEach((socket) => socket.destroy()));
      await new Promise((resolve) => relay.close(resolve));
      sshd.kill('SIGTERM');
      await sshd;
      await rm(work, { recursive: true, force: true });
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', () => (socket.destroy(), resolve(true))).once('error', () => resolve(false));
    socket.setTimeout(5000, () => (socket.destroy(), resolve(false)));
  });
}
