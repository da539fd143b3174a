import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Readable, Writable } from 'node:stream';

import ssh2, { type AnyAuthMethod, type ConnectConfig, type ServerHostKeyAlgorithm } from 'ssh2';

import { OsbuildError } from '../model/index.ts';
import { fingerprint, keyType, knownKeyTypes, lookUpHostKey } from './known-hosts.ts';

export interface HostAddress {
  host: string;
  port: number;
  user: string;
}

export interface HostLogin {
  /** Files of known hosts, in the order in which they are asked. */
  knownHosts: string[];
  /** Private keys; those that are not there are passed over. */
  identities: string[];
  /** Socket of an SSH agent. */
  agent?: string;
  /** Whether to ask for being let in without any key first: devices built for development do that. */
  withoutKey?: boolean;
  advice?: Partial<HostAdvice>;
}

/** What somebody can do about a failure, where it depends on what the host is. */
export interface HostAdvice {
  /** Where else a private key can be named. */
  otherKey: string;
  /** Where the public key has to go. */
  letIn: string;
  /** What to do when the connection broke. */
  lost: string;
  /** Shows the host's own key, there. */
  showKey: string;
}

const buildHost: HostAdvice = {
  otherKey: 'a file can be named by remoteBuilders.<name>.identity',
  letIn: 'put your public key into its ~/.ssh/authorized_keys',
  lost: 'what was finished there stays: the same command goes on from it',
  showKey: 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub',
};

export interface HostChannel {
  input: Writable;
  output: Readable;
  errors: Readable;
  /** Exit status; null where the connection broke before. */
  ended: Promise<number | null>;
  close(): void;
}

export interface HostConnection {
  /** user@host, for messages. */
  name: string;
  start(command: string): Promise<HostChannel>;
  /** Rejects with OSB_REMOTE_HOST when the connection breaks; never resolves. */
  lost: Promise<never>;
  close(): void;
}

const readyTimeoutMs = 60_000;
/** A connection without an answer for a minute and a half is gone. */
const keepaliveMs = 15_000;
const keepaliveCount = 6;

/** Connects and logs in. Throws OSB_REMOTE_HOST: not reached, its key not known or another one, no login. */
export async function connectHost(address: HostAddress, login: HostLogin, signal: AbortSignal): Promise<HostConnection> {
  const name = `${address.user}@${address.host}`;
  const known = await readKnownHosts(login.knownHosts);
  const types = known.flatMap(({ text }) => knownKeyTypes(text, address));
  const methods = await authMethods(address.user, login);
  const advice = { ...buildHost, ...login.advice };
  if (methods.methods.length === 0) throw remote(`there is no key to log in to ${name} with`, `${methods.encrypted.length > 0 ? `${methods.encrypted.join(', ')} want a passphrase: ssh-add them to an agent` : 'make one with ssh-keygen'}; ${advice.otherKey}`);
  const client = new ssh2.Client();
  let refusal: OsbuildError | null = null;
  const config: ConnectConfig = {
    host: address.host,
    port: address.port,
    username: address.user,
    readyTimeout: readyTimeoutMs,
    keepaliveInterval: keepaliveMs,
    keepaliveCountMax: keepaliveCount,
    authHandler: methods.methods,
    ...(types.length === 0 ? {} : { algorithms: { serverHostKey: hostKeyAlgorithms(types) } }),
    hostVerifier: (key: Buffer) => {
      refusal = judge(known, address, key, advice);
      return refusal === null;
    },
  };
  const lost = new Promise<never>((_resolve, reject) => {
    client.on('error', (error) => reject(refusal ?? connectionError(error, name, address, methods, advice)));
    client.on('close', () => reject(remote(`the connection to ${name} was lost`, advice.lost)));
  });
  lost.catch(() => undefined);
  let cancel = (): void => undefined;
  const cancelled = new Promise<never>((_resolve, reject) => (cancel = () => reject(new OsbuildError('OSB_CANCELLED', 'cancelled'))));
  cancelled.catch(() => undefined);
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  const ready = new Promise<void>((resolve) => client.once('ready', resolve));
  client.connect(config);
  await Promise.race([ready, lost, cancelled])
    .catch((error: unknown) => {
      client.destroy();
      throw error;
    })
    .finally(() => signal.removeEventListener('abort', cancel));
  // That the connection is gone comes first: it is why a program cannot be started any more.
  return { name, lost, start: (command) => Promise.race([lost, startChannel(client, command, name)]), close: () => void client.end() };
}

function startChannel(client: ssh2.Client, command: string, name: string): Promise<HostChannel> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error) return reject(remote(`${name} starts no program: ${error.message}`, 'Dropbear takes at most 9000 characters; otherwise its log tells why', {}, error));
      let status: number | null = null;
      channel.on('exit', (code: number | null) => (status = code ?? 255));
      const ended = new Promise<number | null>((done) => channel.once('close', () => done(status)));
      channel.on('error', () => undefined);
      return resolve({ input: channel, output: channel, errors: channel.stderr, ended, close: () => channel.close() });
    });
  });
}

interface KnownHostsFile {
  file: string;
  text: string;
}

async function readKnownHosts(files: readonly string[]): Promise<KnownHostsFile[]> {
  const found = await Promise.all(files.map(async (file) => ({ file, text: await readFile(file, 'utf8').catch(() => '') })));
  return found.filter(({ text }) => text !== '');
}

/** Null: the key is one that the files know for this host. */
function judge(files: readonly KnownHostsFile[], address: HostAddress, key: Buffer, { showKey }: HostAdvice): OsbuildError | null {
  const place = address.port === 22 ? address.host : `[${address.host}]:${address.port}`;
  const verdicts = files.map(({ file, text }) => ({ file, verdict: lookUpHostKey(text, address, key) }));
  const shown = `${keyType(key)} ${fingerprint(key)}`;
  const details = { host: address.host, port: address.port, type: keyType(key), fingerprint: fingerprint(key) };
  for (const { file, verdict } of verdicts) {
    if (verdict.kind === 'revoked') return remote(`the key of ${place} was revoked (${file}:${verdict.line})`, 'somebody may be in between: ask whoever runs that host', details);
  }
  if (verdicts.some(({ verdict }) => verdict.kind === 'known')) return null;
  for (const { file, verdict } of verdicts) {
    if (verdict.kind !== 'other') continue;
    return remote(`the key of ${place} is another one than ${file} has in line ${verdict.line}; it is ${shown} now`, `somebody may be in between. If the host was set up anew: ssh-keygen -R '${place}', then log in once with ssh and compare the fingerprint`, details);
  }
  return remote(`the key of ${place} is not known: ${shown}`, `log in once with \`ssh -p ${address.port} ${address.user}@${address.host}\` and compare the fingerprint with the host's own (${showKey})`, details);
}

/** A type of key and the algorithms that prove it; the others come after, so that an unknown host can be told by its key. */
function hostKeyAlgorithms(types: readonly string[]): ServerHostKeyAlgorithm[] {
  const all: ServerHostKeyAlgorithm[] = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'rsa-sha2-512', 'rsa-sha2-256'];
  const proves = (algorithm: string): boolean => types.includes(algorithm) || (algorithm.startsWith('rsa-sha2-') && types.includes('ssh-rsa'));
  return [...all.filter(proves), ...all.filter((algorithm) => !proves(algorithm))];
}

interface Methods {
  methods: AnyAuthMethod[];
  /** Names of keys that could not be read for want of a passphrase. */
  encrypted: string[];
}

async function authMethods(username: string, { identities, agent, withoutKey }: HostLogin): Promise<Methods> {
  const methods: AnyAuthMethod[] = [...(withoutKey === true ? [{ type: 'none' as const, username }] : []), ...(agent === undefined ? [] : [{ type: 'agent' as const, username, agent }])];
  const encrypted: string[] = [];
  for (const file of identities) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text === null) continue;
    const parsed = ssh2.utils.parseKey(text);
    if (parsed instanceof Error) encrypted.push(basename(file));
    else methods.push({ type: 'publickey', username, key: text });
  }
  return { methods, encrypted };
}

function connectionError(error: Error & { level?: string; code?: string }, name: string, { host, port }: HostAddress, { encrypted }: Methods, { letIn, lost }: HostAdvice): OsbuildError {
  if (error.level === 'client-authentication') {
    return remote(`${name} does not let us in`, `${letIn}${encrypted.length > 0 ? `; ${encrypted.join(', ')} could not be read: ssh-add them to an agent` : ''}`, {}, error);
  }
  const reasons: Record<string, string> = { ECONNREFUSED: 'nothing listens there', ENOTFOUND: 'there is no host of that name', EAI_AGAIN: 'its name cannot be looked up', EHOSTUNREACH: 'no way leads there', ETIMEDOUT: 'it does not answer' };
  const reason = reasons[error.code ?? ''] ?? error.message;
  const gone = error.message.includes('Keepalive timeout') || error.code === 'ECONNRESET' || error.code === 'EPIPE';
  if (gone) return remote(`the connection to ${name} was lost: ${reason}`, lost, {}, error);
  return remote(`${host} cannot be reached on port ${port}: ${reason}`, 'is it up, and does it run an SSH server?', {}, error);
}

function remote(message: string, hint: string, details: Record<string, unknown> = {}, cause?: unknown): OsbuildError {
  return new OsbuildError('OSB_REMOTE_HOST', message, { hint, details, cause });
}
