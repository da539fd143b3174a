import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const recipes = new URL('../../recipes', import.meta.url).pathname;
let folder = '';
const at = (name: string): string => join(folder, name);
const read = (name: string): string | null => (existsSync(at(name)) ? readFileSync(at(name), 'utf8') : null);

/** A program of the device that says what it is told to. */
function program(name: string, body: string): void {
  writeFileSync(at(name), `#!/bin/sh\n${body}\n`);
  chmodSync(at(name), 0o755);
}

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'osbuild-network-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const run = (script: string, words: string[], environment: Record<string, string>): void =>
  void execFileSync('sh', [join(recipes, script), ...words], { env: { PATH: `${folder}:${process.env['PATH'] ?? ''}`, OUT: folder, ...environment }, stdio: 'ignore' });

describe('rules of shared connections', () => {
  const script = 'networkmanager/files/usr/lib/NetworkManager/dispatcher.d/50-minke-shared';
  const event = { DEVICE_IP_IFACE: 'lan0', CONNECTION_UUID: 'u-1', IP4_ADDRESS_0: '198.51.100.1/24 0.0.0.0' };
  /** What nft was given after an event of a port whose connection has this method; `table`: whether there are rules before. */
  const after = (method: string, table: 'there' | 'missing', words = ['lan0', 'up'], environment: Record<string, string> = event): string | null => {
    program('nmcli', `[ "$*" = "-g ipv4.method connection show u-1" ] && echo ${method}`);
    program('nft', `case "$1" in list) ${table === 'there' ? 'exit 0' : 'exit 1'} ;; delete) echo "$*" >"$OUT/given" ;; *) cat >"$OUT/given" ;; esac`);
    run(script, words, environment);
    return read('given');
  };

  test.each(['there', 'missing'] as const)('are made anew when it comes up and they are %s', (table) => {
    const rules = after('shared', table);
    expect(rules).toMatch(/^table ip nm-shared-lan0\ndelete table ip nm-shared-lan0\ntable ip nm-shared-lan0 \{/);
    expect(rules).toContain('ip saddr 198.51.100.1/24 ip daddr != 198.51.100.1/24 masquerade');
    expect(rules).toContain('oifname "lan0" reject');
  });

  test.each([
    ['another connection takes the port', 'auto', ['lan0', 'up'], event],
    ['it goes', 'shared', ['lan0', 'down'], { DEVICE_IP_IFACE: 'lan0', CONNECTION_UUID: 'u-1' }],
    ['it has no address', 'shared', ['lan0', 'up'], { ...event, IP4_ADDRESS_0: '' }],
  ] as const)('are taken away when %s, if there are any', (_, method, words, environment) => {
    expect(after(method, 'missing', [...words], environment)).toBeNull();
    expect(after(method, 'there', [...words], environment)).toBe('delete table ip nm-shared-lan0\n');
  });

  test.each([
    ['other events', ['lan0', 'dhcp4-change'], event],
    ['a name that nft would read otherwise', ['a b', 'up'], { ...event, DEVICE_IP_IFACE: 'a b' }],
  ] as const)('stay as they are at %s', (_, words, environment) => {
    expect(after('shared', 'there', [...words], environment)).toBeNull();
  });
});

describe('refused Wi-Fi networks', () => {
  /** Profiles by UUID; a number is the PIN of a modem's. */
  const asked = (devices: string, profiles: Record<string, string>): boolean => {
    const types = Object.entries(profiles).map(([uuid, what]) => `${uuid}:${what === 'wifi' ? '802-11-wireless' : 'gsm'}\\n`).join('');
    const pins = Object.entries(profiles).map(([uuid, what]) => `"-s -g gsm.pin connection show ${uuid}") ${what === 'unknown' ? 'exit 10' : `echo ${what}`} ;; `).join('');
    program('nmcli', `case "$*" in "-g TYPE,STATE device") printf '${devices}' ;; "-g UUID,TYPE connection") printf '${types}' ;; ${pins} esac`);
    program('busctl', 'touch "$OUT/asked"');
    run('wifi/files/usr/lib/minke/wifi-again', [], {});
    return read('asked') !== null;
  };

  test('are tried again while a radio has no connection', () => {
    expect(asked('ethernet:connected\\nwifi:disconnected\\n', { a: 'wifi' })).toBe(true);
  });

  test('are left alone while every radio is connected', () => {
    expect(asked('wifi:connected\\nwifi-p2p:disconnected\\n', { a: 'wifi' })).toBe(false);
  });

  test.each([
    ['gsm:disconnected\\n', '1234', false],
    ['', '1234', false],
    ['', 'unknown', false],
    ['gsm:connected\\n', '1234', true],
    ['gsm:disconnected\\n', '', true],
    ['', '', true],
  ])('wait for a modem whose PIN must not be tried again: %j, PIN %j', (modem, pin, expected) => {
    expect(asked(`wifi:disconnected\\n${modem}`, { a: 'wifi', b: pin })).toBe(expected);
  });
});
