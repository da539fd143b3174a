import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const script = new URL('../../recipes/networkmanager/files/usr/lib/minke/import-connections', import.meta.url).pathname;
let [folder, from, to, scripts, dispatchers] = ['', '', '', '', ''];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'osbuild-connections-'));
  [from, to] = [join(folder, 'boot'), join(folder, 'run/system-connections')];
  [scripts, dispatchers] = [join(folder, 'boot/dispatcher.d'), join(folder, 'etc/dispatcher.d')];
  mkdirSync(from);
  mkdirSync(dispatchers, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = (): void => void execFileSync('sh', ['-c', `umask 022; . ${script}`], { env: { PATH: process.env['PATH'] ?? '', MINKE_BOOT_CONNECTIONS: from, MINKE_RUN_CONNECTIONS: to, MINKE_BOOT_DISPATCHERS: scripts, MINKE_DISPATCHERS: dispatchers }, stdio: 'ignore' });

test('profiles of the boot partition are handed over, readable by root alone, other files are not', () => {
  writeFileSync(join(from, 'home wifi.nmconnection'), '[connection]\r\nid=home\r\n');
  writeFileSync(join(from, 'README.txt'), 'x');
  run();
  expect(readdirSync(to)).toEqual(['boot-home wifi.nmconnection']);
  const file = join(to, 'boot-home wifi.nmconnection');
  expect(readFileSync(file, 'utf8')).toBe('[connection]\nid=home\n');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect([to, join(to, '..')].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o755]);
});

test.each([
  ['[connection]\nid=a\ntype=gsm\n[gsm]\napn=x\n', '[connection]\nautoconnect-retries=4\nid=a\ntype=gsm\n[gsm]\napn=x\n'],
  ['[connection]\r\ntype = gsm\r\nautoconnect-retries=0\r\n', '[connection]\ntype = gsm\nautoconnect-retries=0\n'],
  ['[connection]\ntype=wifi\n', '[connection]\ntype=wifi\n'],
])('modems are called four times before a pause, unless the profile says how often: %j', (written, read) => {
  writeFileSync(join(from, 'a.nmconnection'), written);
  run();
  expect(readFileSync(join(to, 'boot-a.nmconnection'), 'utf8')).toBe(read);
});

test('a profile that was taken away goes, and one of another origin stays', () => {
  writeFileSync(join(from, 'a.nmconnection'), 'a');
  run();
  writeFileSync(join(to, 'other.nmconnection'), 'o');
  rmSync(join(from, 'a.nmconnection'));
  run();
  expect(readdirSync(to)).toEqual(['other.nmconnection']);
});

test('neither a boot partition that is not there nor an absurd file keeps the network from starting', () => {
  rmSync(from, { recursive: true });
  run();
  mkdirSync(from);
  writeFileSync(join(from, 'huge.nmconnection'), Buffer.alloc(1048577));
  mkdirSync(join(from, 'folder.nmconnection'));
  run();
  expect(readdirSync(to)).toEqual([]);
});

test('scripts of the boot partition are the dispatcher’s, for as long as they are there', () => {
  mkdirSync(scripts);
  writeFileSync(join(scripts, '50-route'), '#!/bin/sh\r\necho "$1"\r\n');
  writeFileSync(join(scripts, 'huge'), Buffer.alloc(1048577));
  writeFileSync(join(dispatchers, '10-own'), 'own');
  run();
  expect(readdirSync(dispatchers).toSorted()).toEqual(['10-own', '50-route-from-boot']);
  const file = join(dispatchers, '50-route-from-boot');
  expect(readFileSync(file, 'utf8')).toBe('#!/bin/sh\necho "$1"\n');
  expect(statSync(file).mode & 0o777).toBe(0o755);
  rmSync(scripts, { recursive: true });
  run();
  expect(readdirSync(dispatchers)).toEqual(['10-own']);
});
