import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE, leftovers, loadBusybox, waitFor } from '../support/lab.ts';

const IDLE_LIMIT_KB = 10 * 1024;

describeLab('the daemon under load', (lab) => {
  const residentKb = (): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${lab.daemonPid()}/status`, 'utf8'))?.[1]);

  it('is small when idle', () => {
    expect(residentKb()).toBeLessThanOrEqual(IDLE_LIMIT_KB);
    loadBusybox(lab);
  });

  it('runs 50 containers at once, each with an address of its own', async () => {
    const results = await Promise.all(Array.from({ length: 50 }, (_, index) => lab.dockerAsync('run', '-d', '--name', `many-${index}`, IMAGE, 'sleep', '1000')));
    expect(results.filter(({ code }) => code !== 0)).toEqual([]);
    const addresses = lab.ok('inspect', '-f', '{{.NetworkSettings.IPAddress}}', ...results.map(({ stdout }) => stdout.trim())).split('\n');
    expect(new Set(addresses).size).toBe(50);
    await Promise.all(Array.from({ length: 50 }, (_, index) => lab.dockerAsync('rm', '-f', `many-${index}`)));
    await waitFor(() => leftovers(lab).length === 0);
    expect(lab.ok('ps', '-aq')).toBe('');
  }, 180_000);

  it('follows 100 MB of logs in flat memory', async () => {
    const id = lab.ok('run', '-d', IMAGE, 'sh', '-c', 'yes 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789 | head -c 104857600');
    const child = lab.spawn(['docker', 'logs', '-f', id]);
    let received = 0;
    let peakKb = 0;
    child.stdout?.on('data', (data: Buffer) => (received += data.length));
    const sampling = setInterval(() => (peakKb = Math.max(peakKb, residentKb())), 100);
    await new Promise((resolve) => child.once('close', resolve));
    clearInterval(sampling);
    expect(received).toBe(104_857_600);
    expect(peakKb).toBeLessThan(24 * 1024);
    lab.ok('rm', id);
  }, 180_000);

  it('holds back for a client that does not read, and forgets one that has gone', async () => {
    const id = lab.ok('run', '-d', IMAGE, 'sh', '-c', 'yes x | head -c 50000000; sleep 1000');
    const stalled = lab.spawn(['sh', '-c', `docker logs -f ${id} | sleep 3`]);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(residentKb()).toBeLessThan(24 * 1024);
    expect(lab.ok('version', '-f', '{{.Server.Os}}')).toBe('linux');
    await new Promise((resolve) => stalled.once('close', resolve));
    const before = lab.run(['ls', `/proc/${lab.daemonPid()}/fd`]).stdout.split('\n').length;
    const children = Array.from({ length: 5 }, () => lab.spawn(['docker', 'logs', '-f', '--tail', '0', id]));
    await waitFor(() => lab.run(['ls', `/proc/${lab.daemonPid()}/fd`]).stdout.split('\n').length >= before + 5);
    for (const child of children) child.kill('SIGKILL');
    await waitFor(() => lab.run(['ls', `/proc/${lab.daemonPid()}/fd`]).stdout.split('\n').length <= before);
    lab.ok('rm', '-f', id);
  }, 60_000);

  it('does not grow over 200 runs and 200 execs', async () => {
    const id = lab.ok('run', '-d', IMAGE, 'sleep', '1000');
    const round = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index += 1) {
        expect((await lab.dockerAsync('exec', id, 'true')).code).toBe(0);
        expect((await lab.dockerAsync('run', '--rm', '--network', 'none', IMAGE, 'true')).code).toBe(0);
      }
    };
    // What leaks grows in every batch; a heap that takes one more page block for good does so in one of them.
    const sizes: number[] = [];
    for (let batch = 0; batch < 4; batch += 1) {
      await round(50);
      sizes.push(residentKb());
    }
    const growth = sizes.slice(1).map((size, index) => size - (sizes[index] ?? 0));
    expect(Math.min(...growth), `resident kB after each batch: ${sizes.join(', ')}`).toBeLessThan(256);
    lab.ok('rm', '-f', id);
    await waitFor(() => leftovers(lab).length === 0);
  }, 300_000);
}, { image: false });
