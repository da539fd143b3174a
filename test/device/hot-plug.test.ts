import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { plugAtKernelStart } from '../../src/device/hot-plug.ts';

// A peer that speaks QMP as QEMU does: a greeting, capabilities first, events in between, errors with a class and words.
let folder: string;
let server: Server;
let commands: string[];
let plugged: Set<string>;

beforeEach(async () => {
  // Deeper than a socket's path may be long.
  const top = await mkdtemp(join(tmpdir(), 'osbuild-qmp-'));
  folder = join(top, 'x'.repeat(60), 'y'.repeat(60));
  await mkdir(folder, { recursive: true });
  commands = [];
  plugged = new Set();
  server = createServer((socket) => {
    let ready = false;
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\r\n');
    createInterface({ input: socket }).on('line', (line) => {
      const { execute, id, arguments: words } = JSON.parse(line) as { execute: string; id: number; arguments?: { id: string } };
      commands.push(execute);
      const answer = (reply: object): void => void socket.write(`${JSON.stringify({ ...reply, id })}\r\n`);
      const refuse = (desc: string): void => answer({ error: { class: 'GenericError', desc } });
      if (execute === 'qmp_capabilities') ready = true;
      else if (!ready) return refuse('Expecting capabilities negotiation');
      else if (execute === 'device_del' && !plugged.delete(words?.id ?? '')) return refuse(`Device '${words?.id}' not found`);
      else if (execute === 'device_add' && words) {
        if (plugged.size > 0) return refuse('no free port');
        plugged.add(words.id);
      }
      socket.write('{"event": "NIC_RX_FILTER_CHANGED", "timestamp": {}}\r\n');
      answer({ return: {} });
    });
  });
  const here = process.cwd();
  process.chdir(folder);
  await new Promise<void>((resolve) => server.listen('qmp.sock', resolve));
  process.chdir(here);
});
afterEach(async () => {
  server.close();
  await rm(join(tmpdir(), relative(tmpdir(), folder).split('/')[0] ?? ''), { recursive: true, force: true });
});

const adapter = { driver: 'usb-net', id: 'adapter' };

test('a device is plugged in whenever a kernel starts, and only then', async () => {
  const complaints: string[] = [];
  const feed = plugAtKernelStart({ socket: join(folder, 'qmp.sock'), device: adapter }, (message) => complaints.push(message));
  feed('U-Boot 2025.01\r\nStarting ker');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(commands).toEqual([]);
  feed('nel ...\r\n\r\n[    0.000000] Booting Linux\r\n');
  await expect.poll(() => commands).toEqual(['qmp_capabilities', 'device_del', 'device_add']);
  feed('reboot: Restarting system\r\nStarting kernel ...\r\n');
  await expect.poll(() => commands.length).toBe(6);
  expect([...plugged]).toEqual(['adapter']);
  expect(complaints).toEqual([]);
});

test('what QEMU refuses is told in its words', async () => {
  const complaints: string[] = [];
  plugged.add('keyboard');
  const feed = plugAtKernelStart({ socket: join(folder, 'qmp.sock'), device: adapter }, (message) => complaints.push(message));
  feed('Starting kernel ...');
  await expect.poll(() => complaints).toEqual(['usb-net could not be plugged in: QEMU: no free port']);
});

test('a socket that nobody listens on is told too', async () => {
  const complaints: string[] = [];
  plugAtKernelStart({ socket: join(folder, 'other.sock'), device: adapter }, (message) => complaints.push(message))('Starting kernel ...');
  await expect.poll(() => complaints[0]).toMatch(/usb-net could not be plugged in: .*ENOENT/);
});
