import { mkdir } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { start } from '../../../exec/index.ts';
import { OsbuildError } from '../../../model/index.ts';
import { contained } from '../bitbake/command.ts';
import { serveFolder, type StaticServer } from './static.ts';

export interface TeamServersOptions {
  /** bitbake's own source, which brings the hash and the PR server. */
  bitbake: string;
  /** Folder of the program, where pr-server.py is. */
  home: string;
  /** The cache's folder yocto/, with sstate/ in it; the servers' databases go to servers/ there. */
  folder: string;
  /** Address to listen on: an IPv4 address or a name of this host. */
  host: string;
  ports: { http: number; hash: number; pr: number };
  /** Hash server that ours asks for what it does not know. */
  upstream?: string;
  /** Nobody may tell the hash server anything. */
  readOnly: boolean;
  uid: number;
  hostEnvironment: Readonly<Record<string, string>>;
  /** What the servers say, a line at a time. */
  log(line: string): void;
}

export interface TeamServers {
  http: StaticServer;
  /** Resolves with what went wrong when one of them ends by itself. */
  ended: Promise<OsbuildError>;
  /** Ends all of them; nothing runs any more when it resolves. */
  close(): Promise<void>;
}

interface Running {
  name: string;
  ended: Promise<string>;
  stop(): Promise<void>;
}

const readyTimeoutMs = 120_000;
const stopTimeoutMs = 10_000;

/**
 * The shell is the first process of a namespace of its own and standard input is its leash: when that ends, as it does
 * with whoever started it, the server ends, and with the shell everything that is left.
 */
const leash = 'exec 3<&0; "$@" </dev/null & server=$!; (cat <&3 >/dev/null; kill "$server") & wait "$server"';

/** Starts the three servers and waits until they answer. Throws OSB_HOST_UNFIT for one that does not come up; the others are ended then. */
export async function startTeamServers(options: TeamServersOptions): Promise<TeamServers> {
  const { bitbake, folder, host, ports, upstream } = options;
  const databases = join(folder, 'servers');
  for (const needed of [databases, join(folder, 'sstate')]) await mkdir(needed, { recursive: true });
  const permissions = options.readOnly ? ['--anon-perms', '@read'] : ['--anon-perms', '@read,@report'];
  const running: Running[] = [];
  let http: StaticServer | null = null;
  const close = async (): Promise<void> => {
    await Promise.all([http?.close(), ...running.map((server) => server.stop())]);
  };
  try {
    http = await serveFolder(join(folder, 'sstate'), { host, port: ports.http }).catch((error: NodeJS.ErrnoException) => {
      throw unfit('the web server', error.code === 'EADDRINUSE' ? `port ${ports.http} of ${host} is taken` : error.message);
    });
    // Asked beforehand: a connection that is taken later could as well be another program's.
    for (const [name, port] of [['bitbake-hashserv', ports.hash], ['the PR server', ports.pr]] as const) await checkFree(name, host, port);
    running.push(launch('bitbake-hashserv', [join(bitbake, 'bin/bitbake-hashserv'), '--bind', `${host}:${ports.hash}`, '--database', join(databases, 'hashserv.db'), ...permissions, ...(upstream === undefined ? [] : ['--upstream', upstream])], options));
    running.push(launch('the PR server', ['python3', join(options.home, 'src/providers/yocto/servers/pr-server.py'), bitbake, host, String(ports.pr), join(databases, 'prserv.sqlite3')], options));
    await Promise.all([answers(running[0], host, ports.hash), answers(running[1], host, ports.pr)]);
  } catch (error) {
    await close();
    throw error;
  }
  const ended = Promise.race(running.map(async ({ name, ended: how }) => unfit(name, `it ended: ${await how}`)));
  return { http, ended, close };
}

function launch(name: string, argv: string[], { uid, hostEnvironment, log }: TeamServersOptions): Running {
  const env = { PATH: hostEnvironment['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C.UTF-8', PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' };
  const child = start(contained(['sh', '-c', leash, 'server', ...argv], uid), { env, stdio: 'pipe' });
  const last: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) throw new Error('a server was started without pipes');
    createInterface({ input: stream }).on('line', (line) => {
      log(`${name}: ${line}`);
      if (line.trim() !== '') last[0] = line.trim();
    });
  }
  child.stdin?.on('error', () => undefined);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(last[0] ?? (code === null ? `signal ${signal}` : `exit status ${code}`)));
  });
  return {
    name,
    ended,
    async stop() {
      child.stdin?.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Waits until a server takes a connection. Throws with its last words when it ends before. */
async function answers(server: Running | undefined, host: string, port: number): Promise<void> {
  if (server === undefined) throw new Error('no such server');
  let gone: string | null = null;
  void server.ended.then((how) => (gone = how));
  const deadline = Date.now() + readyTimeoutMs;
  const address = host === '0.0.0.0' ? '127.0.0.1' : host;
  while (Date.now() < deadline) {
    if (gone !== null) throw unfit(server.name, gone);
    if (await accepts(address, port)) return;
    await sleep(100);
  }
  throw unfit(server.name, `it did not answer within ${readyTimeoutMs / 1000} s`);
}

async function checkFree(name: string, host: string, port: number): Promise<void> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(port, host, resolve));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw unfit(name, code === 'EADDRINUSE' ? `port ${port} of ${host} is taken` : message);
  } finally {
    await new Promise((resolve) => probe.close(resolve));
  }
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const done = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false)).setTimeout(2000, () => done(false));
  });
}

function unfit(name: string, what: string): OsbuildError {
  return new OsbuildError('OSB_HOST_UNFIT', `${name} cannot run: ${what}`, { hint: 'ports: --http-port, --hash-port, --pr-port; address: --bind' });
}
