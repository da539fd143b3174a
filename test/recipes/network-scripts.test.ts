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
  const up = (words = ['lan0', 'up'], environment: Record<string, string> = event): void => run(script, words, environment);
  const device = (method: string, table: 'there' | 'missing'): void => {
    program('nmcli', `[ "$*" = "-g ipv4.method connection show u-1" ] && echo ${method}`);
    program('systemd-cat', 'cat >"$OUT/said"');
    program('nft', `case "$1" in list) ${table === 'there' ? 'exit 0' : 'exit 1'} ;; *) cat >"$OUT/rules" ;; esac`);
  };

  test('are put in place where NetworkManager has given up', () => {
    device('shared', 'missing');
    up();
    const rules = read('rules');
    expect(rules).toContain('table ip nm-shared-lan0 {');
    expect(rules).toContain('ip saddr 198.51.100.1/24 ip daddr != 198.51.100.1/24 masquerade');
    expect(rules).toContain('oifname "lan0" reject');
    expect(read('said')).toMatch(/^lan0: the rules .* are missing/);
  });

  test.each([
    ['are there already', 'shared', 'there', ['lan0', 'up'], event],
    ['are not wanted by another connection', 'auto', 'missing', ['lan0', 'up'], event],
    ['are not wanted when it goes', 'shared', 'missing', ['lan0', 'down'], event],
    ['are not made for a name that nft would read otherwise', 'shared', 'missing', ['a b', 'up'], { ...event, DEVICE_IP_IFACE: 'a b' }],
    ['are not made without an address', 'shared', 'missing', ['lan0', 'up'], { ...event, IP4_ADDRESS_0: '' }],
  ] as const)('%s', (_, method, table, words, environment) => {
    device(method, table);
    up([...words], environment);
    expect(read('rules')).toBeNull();
  });
});

describe('refused Wi-Fi networks', () => {
  const asked = (devices: string, profiles: string): boolean => {
    program('nmcli', `case "$*" in "-g TYPE,STATE device") printf '${devices}' ;; "-g TYPE connection") printf '${profiles}' ;; esac`);
    program('busctl', 'touch "$OUT/asked"');
    run('wifi/files/usr/lib/minke/wifi-again', [], {});
    return read('asked') !== null;
  };

  test('are tried again while a radio has no connection', () => {
    expect(asked('ethernet:connected\\nwifi:disconnected\\n', '802-11-wireless\\n')).toBe(true);
  });

  test('are left alone while every radio is connected', () => {
    expect(asked('wifi:connected\\nwifi-p2p:disconnected\\n', '802-11-wireless\\n')).toBe(false);
  });

  test.each([
    ['gsm:disconnected\\n', false],
    ['', false],
    ['gsm:connected\\n', true],
  ])('wait for a modem, whose PIN must not be tried again: %j', (modem, expected) => {
    expect(asked(`wifi:disconnected\\n${modem}`, 'gsm\\n802-11-wireless\\n')).toBe(expected);
  });
});
