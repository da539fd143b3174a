import { generateKeyPairSync } from 'node:crypto';
import ssh2, { type Server } from 'ssh2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { connectSsh, isRefused, makeSshKey, waitForSsh, type SshTarget } from '../../src/device/ssh.ts';

const key = makeSshKey('known');
let server: Server;
let target: SshTarget;

beforeAll(async () => {
  const allowed = ssh2.utils.parseKey(key.publicKey);
  if (allowed instanceof Error) throw allowed;
  const hostKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs1', format: 'pem' });
  server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    client.on('error', () => undefined);
    client.on('authentication', (context) => {
      if (context.method === 'publickey' && context.key.data.equals(allowed.getPublicSSH())) context.accept();
      else context.reject();
    });
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec, _reject, info) => {
        const channel = acceptExec();
        if (info.command === 'hang') return;
        const parts: Buffer[] = [];
        channel.on('data', (chunk: Buffer) => parts.push(chunk));
        channel.on('end', () => {
          channel.write(`${info.command}:${Buffer.concat(parts).toString()}`);
          channel.stderr.write('complaint');
          channel.exit(7);
          channel.end();
        });
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  target = { host: '127.0.0.1', port: (server.address() as { port: number }).port, username: 'root' };
});
afterAll(() => void server.close());

describe('SSH', () => {
  test('runs a command with input and keeps status and streams apart', async () => {
    const session = await connectSsh(target, { privateKey: key.privateKey }, 10_000);
    expect(await session.exec('cat', { stdin: Buffer.from('input') })).toEqual({ status: 7, stdout: 'cat:input', stderr: 'complaint' });
    session.close();
  });

  test('a command that hangs is given up', async () => {
    const session = await connectSsh(target, { privateKey: key.privateKey }, 10_000);
    await expect(session.exec('hang', { timeoutMs: 200 })).rejects.toThrow(/`hang` did not end within 0.2 s/);
    session.close();
  });

  test('a refusal is told from a server that is not there', async () => {
    const stranger = await connectSsh(target, { privateKey: makeSshKey('stranger').privateKey }, 10_000).catch((error: unknown) => error);
    expect(isRefused(stranger)).toBe(true);
    const guess = await connectSsh(target, { password: 'root' }, 10_000).catch((error: unknown) => error);
    expect(isRefused(guess)).toBe(true);
    const nobody = await connectSsh({ ...target, port: 1 }, { password: '' }, 10_000).catch((error: unknown) => error);
    expect(nobody).toBeInstanceOf(Error);
    expect(isRefused(nobody)).toBe(false);
  });

  test('waiting ends when the board is gone, and when the time is over', async () => {
    const signal = new AbortController().signal;
    const dead = { ...target, port: 1 };
    await expect(waitForSsh(dead, { password: '' }, { timeoutMs: 60_000, signal, whyGone: () => 'it fell asleep' })).rejects.toThrow(/no login over SSH on port 1: it fell asleep/);
    await expect(waitForSsh(dead, { password: '' }, { timeoutMs: 100, signal })).rejects.toThrow(/within 0 s/);
  });
});
