import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';

import ssh2, { type Client, type ConnectConfig } from 'ssh2';

import { OsbuildError } from '../model/index.ts';

/** A key pair made for one run: `publicKey` is a line of config.json's os.sshKeys. */
export interface SshKey {
  privateKey: string;
  publicKey: string;
}

export interface SshTarget {
  host: string;
  port: number;
  username: string;
}

export type SshLogin = { privateKey: string } | { password: string };

export interface SshResult {
  /** Exit status; 128 + signal number's stand-in 255 when the program was killed. */
  status: number;
  stdout: string;
  stderr: string;
}

export interface SshSession {
  exec(command: string, options?: { stdin?: Uint8Array; timeoutMs?: number }): Promise<SshResult>;
  close(): void;
}

/** Not through ssh2's own generator: its Ed25519 keys lose bytes now and then (1.17.0). */
export function makeSshKey(comment: string): SshKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'sec1', format: 'pem' }).toString();
  const parsed = ssh2.utils.parseKey(pem);
  if (parsed instanceof Error) throw parsed;
  return { privateKey: pem, publicKey: `${parsed.type} ${parsed.getPublicSSH().toString('base64')} ${comment}` };
}

/** Logs in once. Throws an Error with ssh2's `level`: client-authentication means that the door is shut, anything else that nobody answered. */
export async function connectSsh(target: SshTarget, login: SshLogin, timeoutMs: number): Promise<SshSession> {
  const client = new ssh2.Client();
  const config: ConnectConfig = {
    ...target,
    ...login,
    readyTimeout: timeoutMs,
    keepaliveInterval: 15_000,
    keepaliveCountMax: 20,
    // Only what was asked for: neither an agent nor the other method.
    authHandler: 'privateKey' in login ? ['publickey'] : ['password'],
  };
  const broken = new Promise<never>((_resolve, reject) => {
    client.once('error', reject);
    client.once('close', () => reject(new Error('the SSH connection was closed')));
  });
  broken.catch(() => undefined);
  client.on('error', () => undefined);
  client.connect(config);
  await Promise.race([once(client, 'ready'), broken]).catch((error: unknown) => {
    client.end();
    throw error;
  });
  return {
    exec: (command, options = {}) => Promise.race([exec(client, command, options), broken]),
    close: () => void client.end(),
  };
}

/** Whether a failed login means that the server refused it, as against not being reached. */
export function isRefused(error: unknown): boolean {
  return error instanceof Error && 'level' in error && error.level === 'client-authentication';
}

/** A loaded host emulates a key exchange in more than a minute. */
const attemptMs = 240_000;

/** Tries to log in until it works, the time is over, or `whyGone` says what ended the board. */
export async function waitForSsh(target: SshTarget, login: SshLogin, options: { timeoutMs: number; signal: AbortSignal; whyGone?(): string | null }): Promise<SshSession> {
  const deadline = Date.now() + options.timeoutMs;
  let last: unknown;
  do {
    if (options.signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
    const gone = options.whyGone?.() ?? null;
    if (gone !== null) throw new OsbuildError('OSB_BOOT_TEST_FAILED', `no login over SSH on port ${target.port}: ${gone}`, { cause: last });
    try {
      return await connectSsh(target, login, Math.min(attemptMs, Math.max(deadline - Date.now(), 1000)));
    } catch (error) {
      last = error;
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  } while (Date.now() < deadline);
  throw new OsbuildError('OSB_BOOT_TEST_FAILED', `no login over SSH on port ${target.port} within ${Math.round(options.timeoutMs / 1000)} s`, { cause: last, details: { last: String(last) } });
}

async function exec(client: Client, command: string, { stdin, timeoutMs = 60_000 }: { stdin?: Uint8Array; timeoutMs?: number }): Promise<SshResult> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error) {
        reject(error);
        return;
      }
      const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
      let status = 255;
      const timer = setTimeout(() => {
        channel.close();
        reject(new OsbuildError('OSB_BOOT_TEST_FAILED', `\`${command.slice(0, 100)}\` did not end within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      channel.on('data', (chunk: Buffer) => parts.stdout.push(chunk));
      channel.stderr.on('data', (chunk: Buffer) => parts.stderr.push(chunk));
      channel.on('exit', (code: number | null) => (status = code ?? 255));
      channel.on('close', () => {
        clearTimeout(timer);
        resolve({ status, stdout: Buffer.concat(parts.stdout).toString('utf8'), stderr: Buffer.concat(parts.stderr).toString('utf8') });
      });
      channel.end(stdin);
    });
  });
}
