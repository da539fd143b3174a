import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE, leftovers, waitFor } from '../support/lab.ts';
import { sendRaw, statusesOf } from '../support/raw-request.ts';

/** How many clients go in each way, one half at once and one after the other. */
const clients = Number(process.env['OSBUILD_VANISHING_CLIENTS'] ?? '6');

describeLab('clients that vanish', (lab) => {
  const descriptors = (): number => readdirSync(`/proc/${lab.daemonPid()}/fd`).length;
  const residentKb = (): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${lab.daemonPid()}/status`, 'utf8'))?.[1]);
  const zombies = (): string[] =>
    readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((pid) => {
      try {
        return new RegExp(`^State:\\s+Z[^]*^PPid:\\s+${lab.daemonPid()}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      } catch {
        return false;
      }
    });

  /** Starts clients, lets them come to `begun`, kills them, and waits until the daemon has nothing left of them. */
  const vanish = async (argv: readonly string[], begun: (out: string) => boolean): Promise<void> => {
    const before = descriptors();
    const one = async (): Promise<void> => {
      const child = lab.spawn(argv);
      const closed = new Promise((resolve) => child.once('close', resolve));
      let out = '';
      child.stdout?.on('data', (part: Buffer) => {
        out = (out + part.toString('latin1')).slice(-4096);
        // It waits here for its reader: it must not come to its end before it is killed.
        if (begun(out) && !child.killed) child.stdout?.pause();
      });
      await waitFor(() => begun(out));
      child.kill('SIGKILL');
      child.stdout?.resume();
      await closed;
    };
    await Promise.all(Array.from({ length: Math.ceil(clients / 2) }, one));
    for (let index = 0; index < Math.floor(clients / 2); index += 1) await one();
    await waitFor(() => descriptors() <= before, 15_000);
    expect(zombies()).toEqual([]);
  };
  const ticks = (out: string): boolean => out.includes('tick');
  const ticking = (...options: string[]): string => lab.ok('run', '-d', ...options, IMAGE, 'sh', '-c', 'while :; do echo tick; sleep 0.02; done');

  it('in mid-attach: the container goes on, and others attach', async () => {
    const id = ticking('-i');
    await vanish(['docker', 'attach', '--sig-proxy=false', id], ticks);
    expect(lab.ok('inspect', '-f', '{{.State.Running}}', id)).toBe('true');
    await vanish(['docker', 'attach', '--sig-proxy=false', '--no-stdin', id], ticks);
    lab.ok('rm', '-f', id);
  }, 60_000);

  it('in mid-attach with a terminal, and while output waits for them', async () => {
    const id = lab.ok('run', '-dt', IMAGE, 'sh', '-c', 'while :; do yes tick | head -c 200000; sleep 0.1; done');
    await vanish(['docker', 'attach', '--sig-proxy=false', '--no-stdin', id], ticks);
    const before = descriptors();
    // One that reads nothing: conmon must not be held up by it once it has gone.
    const stalled = createConnection(lab.socket);
    stalled.on('error', () => undefined);
    stalled.write(`POST /v1.47/containers/${id}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
    stalled.pause();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    stalled.destroy();
    await waitFor(() => descriptors() <= before, 15_000);
    await vanish(['docker', 'attach', '--sig-proxy=false', '--no-stdin', id], ticks);
    lab.ok('rm', '-f', id);
  }, 60_000);

  it('in mid-exec: what they ran ends when its input does, or with the container', async () => {
    const id = lab.ok('run', '-d', IMAGE, 'sleep', '1000');
    await vanish(['docker', 'exec', '-i', id, 'sh', '-c', 'echo tick; cat'], ticks);
    await waitFor(() => lab.ok('exec', id, 'sh', '-c', 'ps | grep -c "[c]at$" || true') === '0');
    await vanish(['docker', 'exec', id, 'sh', '-c', 'while :; do echo tick; sleep 0.02; done'], ticks).catch(() => undefined);
    lab.ok('rm', '-f', id);
    await waitFor(() => leftovers(lab).length === 0);
  }, 90_000);

  it('in mid-logs, mid-events, mid-stats and mid-wait', async () => {
    const id = ticking();
    await vanish(['docker', 'logs', '-f', id], ticks);
    await vanish(['docker', 'stats', '--format', 'tick {{.PIDs}}', id], ticks);
    const before = descriptors();
    for (const path of ['/v1.47/events', `/v1.47/containers/${id}/wait`, `/v1.47/containers/${id}/stats`, `/v1.47/containers/${id}/logs?follow=1&stdout=1`]) {
      const method = path.endsWith('wait') ? 'POST' : 'GET';
      await Promise.all(Array.from({ length: clients }, () => sendRaw(lab.socket, [`${method} ${path} HTTP/1.1\r\nHost: x\r\n\r\n`], 100)));
    }
    await waitFor(() => descriptors() <= before, 15_000);
    lab.ok('rm', '-f', id);
  }, 90_000);

  it('in mid-export, mid-save, and in the middle of what they send', async () => {
    const id = lab.ok('run', '-d', IMAGE, 'sh', '-c', 'head -c 50000000 /dev/zero > /big; echo tick; sleep 1000');
    await waitFor(() => lab.ok('logs', id) === 'tick');
    await vanish(['docker', 'export', id], (out) => out.length > 0);
    await vanish(['docker', 'save', IMAGE], (out) => out.length > 0);
    const before = descriptors();
    for (const target of ['POST /v1.47/images/load', 'POST /v1.47/build', 'POST /v1.47/images/create?fromSrc=-', `PUT /v1.47/containers/${id}/archive?path=/`]) {
      const head = `${target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: 100000000\r\n\r\n`;
      const answers = await Promise.all(Array.from({ length: clients }, () => sendRaw(lab.socket, [head, Buffer.alloc(100_000)], 150)));
      expect(answers.flatMap(statusesOf).filter((status) => status >= 500)).toEqual([]);
    }
    await waitFor(() => descriptors() <= before, 15_000);
    await waitFor(() => readdirSync(`${lab.dataRoot}/tmp`).length === 0);
    lab.ok('rm', '-f', id);
  }, 90_000);

  it('after the attach and before the start: the process finds the end of its input', async () => {
    const id = lab.ok('create', '-i', '-a', 'stdin', '-a', 'stdout', IMAGE, 'sh', '-c', 'cat; echo ended');
    const before = descriptors();
    const client = createConnection(lab.socket);
    client.write(`POST /v1.47/containers/${id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
    await new Promise((resolve) => client.once('data', resolve));
    client.destroy();
    lab.ok('start', id);
    await waitFor(() => lab.ok('ps', '-q') === '', 15_000);
    expect(lab.ok('logs', id)).toBe('ended');
    // The next one who attaches brings an input of its own.
    const again = lab.spawn(['docker', 'start', '-ai', id]);
    let out = '';
    again.stdout?.on('data', (part: Buffer) => (out += part.toString('latin1')));
    again.stdin?.end('typed');
    await new Promise((resolve) => again.once('close', resolve));
    expect(out).toBe('typedended\n');
    await waitFor(() => descriptors() <= before);
    lab.ok('rm', id);
  }, 60_000);

  it('with output unread, while the process waits for input: it finds the end of it', async () => {
    const id = lab.ok('create', '-i', '-a', 'stdin', '-a', 'stdout', IMAGE, 'sh', '-c', 'echo unread; cat; echo ended');
    const before = descriptors();
    const client = createConnection(lab.socket);
    client.write(`POST /v1.47/containers/${id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
    await new Promise((resolve) => client.once('data', resolve));
    client.pause();
    lab.ok('start', id);
    await waitFor(() => lab.ok('logs', id) === 'unread');
    client.destroy();
    await waitFor(() => lab.ok('ps', '-q') === '', 15_000);
    expect(lab.ok('logs', id)).toBe('unread\nended');
    await waitFor(() => descriptors() <= before);
    lab.ok('rm', id);
  }, 60_000);

  it('after the attach of a container that is removed without a start', async () => {
    const before = descriptors();
    const id = lab.ok('create', '-i', IMAGE, 'cat');
    const client = createConnection(lab.socket);
    client.write(`POST /v1.47/containers/${id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
    await new Promise((resolve) => client.once('data', resolve));
    lab.ok('rm', id);
    // The client that is still there sees the end.
    await new Promise((resolve) => client.once('close', resolve).resume());
    await waitFor(() => descriptors() <= before);
  }, 60_000);

  it('between create and start with --rm, and while the container starts', async () => {
    for (let round = 0; round < clients; round += 1) {
      const child = spawn('docker', ['run', '--rm', '-i', IMAGE, 'sh', '-c', 'echo tick; cat'], { env: { ...process.env, DOCKER_HOST: `unix://${lab.socket}`, DOCKER_CONFIG: lab.folder } });
      const closed = new Promise((resolve) => child.once('close', resolve));
      await new Promise((resolve) => setTimeout(resolve, 20 + 30 * round));
      child.kill('SIGKILL');
      await closed;
    }
    // What was started all the same has the end of its input, and ends by itself.
    await waitFor(() => lab.ok('ps', '-q') === '', 15_000);
    const ids = lab.ok('ps', '-aq').split('\n').filter((line) => line !== '');
    if (ids.length > 0) lab.ok('rm', '-f', ...ids);
    await waitFor(() => leftovers(lab).length === 0);
    expect(residentKb()).toBeLessThan(24 * 1024);
    expect(lab.daemonLog()).not.toContain('level=error');
  }, 60_000);
});
