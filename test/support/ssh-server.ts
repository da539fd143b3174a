import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';

import { execa } from 'execa';

import { freePort } from '../../src/device/free-port.ts';
import { hasProgram, isRoot } from './need.ts';

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

export type SshServerKind = 'openssh' | 'dropbear';

/** Why there can be no such server here; null when there can. */
export function sshServerObstacle(kind: SshServerKind): string | null {
  // Without PAM, which the test does without, sshd lets nobody in whose password is locked by an exclamation mark.
  if (kind === 'openssh') return !existsSync('/usr/sbin/sshd') || !hasProgram('ssh-keygen') || (isRoot && /^root:!/m.test(readFileSync('/etc/shadow', 'utf8'))) ? 'needs /usr/sbin/sshd (openssh-server), and an account that is not locked' : null;
  // Debian 12's reads nobody's keys but those in the home folder, which is hidden behind one of the test's own.
  return hasProgram('dropbear') && hasProgram('dropbearkey') && hasProgram('ssh-keygen') && isRoot ? null : 'needs dropbear (dropbear-bin), and root';
}

/** OpenSSH's server or Dropbear on loopback, with a host key and an authorized key of its own, for the user that runs the test. @param path folders where its programs are looked for first @param enter what enters the namespaces that it is to be in */
export async function startSshServer({ kind = 'openssh', path = [], enter = [] }: { kind?: SshServerKind; path?: string[]; enter?: string[] } = {}): Promise<SshServer> {
  const work = await mkdtemp(join(tmpdir(), 'osbuild-sshd-'));
  const keys = { host: join(work, 'host'), user: join(work, 'user') };
  const [inner, port] = [await freePort(), await freePort()];
  await chmod(work, 0o755);
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', keys.user]);
  const programs = [...path, dirname(process.execPath), '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(':');
  const command = [...enter, ...(await (kind === 'openssh' ? openssh : dropbear)(work, keys, inner, programs))];
  const [program = '', ...words] = command;
  const sshd = execa(program, words, { reject: false, all: true, forceKillAfterDelay: 5000, env: { PATH: programs } });
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

interface Keys {
  host: string;
  user: string;
}

async function openssh(work: string, keys: Keys, port: number, path: string): Promise<string[]> {
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', keys.host]);
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true });
  await writeFile(
    join(work, 'config'),
    `Port ${port}
ListenAddress 127.0.0.1
HostKey ${keys.host}
AuthorizedKeysFile ${keys.user}.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
SetEnv PATH=${path}
`,
  );
  return ['/usr/sbin/sshd', '-D', '-e', '-f', join(work, 'config')];
}

/** With the options of devices (recipes/dropbear), but not started by a socket. */
async function dropbear(work: string, keys: Keys, port: number, path: string): Promise<string[]> {
  await execa('dropbearkey', ['-t', 'ed25519', '-f', keys.host]);
  const { stdout } = await execa('dropbearkey', ['-y', '-f', keys.host]);
  await writeFile(`${keys.host}.pub`, `${stdout.split('\n').find((line) => line.startsWith('ssh-ed25519 ')) ?? ''}\n`);
  const home = join(work, 'home');
  await mkdir(join(home, '.ssh'), { recursive: true, mode: 0o700 });
  await writeFile(join(home, '.ssh/authorized_keys'), await readFile(`${keys.user}.pub`), { mode: 0o600 });
  const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', home, userInfo().homedir, 'dropbear', '-F', '-E', '-m', '-c', `PATH=${path}; export PATH; exec sh -c "$SSH_ORIGINAL_COMMAND"`, '-s', '-K', '60', '-r', keys.host, '-p', `127.0.0.1:${port}`, '-P', join(work, 'pid')];
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', () => (socket.destroy(), resolve(true))).once('error', () => resolve(false));
    socket.setTimeout(5000, () => (socket.destroy(), resolve(false)));
  });
}
