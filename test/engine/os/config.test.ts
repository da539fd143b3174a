import { readFileSync } from 'node:fs';

import { Ajv } from 'ajv';
import { beforeEach, describe, expect, test } from 'vitest';

import schema from '../../../src/config/schemas/config.schema.json' with { type: 'json' };
import { parseConfigFile, resolveSettings } from '../../../src/engine/daemon/options.ts';
import { EngineError } from '../../../src/engine/error.ts';
import { applyConfig, type Applied } from '../../../src/engine/os/config/apply.ts';
import { certificatesOf } from '../../../src/engine/os/config/certificates.ts';
import type { DeviceConfig } from '../../../src/engine/os/config/device-config.ts';
import { readConfig } from '../../../src/engine/os/config/document.ts';
import { edit } from '../../../src/engine/os/config/edit.ts';
import { engineSettings } from '../../../src/engine/os/config/engine-settings.ts';
import { CONFIG_KEYS } from '../../../src/engine/os/config/keys.ts';
import { complaintText, type Described, type Json } from '../../../src/engine/os/config/read.ts';
import { RENDERERS, type Facts } from '../../../src/engine/os/config/render.ts';
import type { DeviceConfig as DocumentedConfig } from '../../../src/model/index.ts';
import { put } from '../fuzz/documents.ts';
import { fuzz, mutate, must, randomOf, ROUNDS } from '../fuzz/fuzz.ts';
import { configDevice, type ConfigDevice } from './support/fake-config.ts';

/** Mutants of documents and addresses, as many as were asked for. */
const limitMs = 60_000 + ROUNDS * 200;
const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJzc2hlZDI1NTE5 me';
const authority = `-----BEGIN CERTIFICATE-----
MIIBiTCCAS+gAwIBAgIUbHR+wt2QzGvuF91RdBDPK9Kq15EwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwIBcNMjYxMTIyMDYyMzU3WhgPMjEy
NjEwMjkwNjIzNTdaMBkxFzAVBgNVBAMMDlRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAENrR+swIwU7b3i40cCk0OAb+SUeYD60dfEOsIGING
KGq905kJpSYvfUrwnq4Gu3pYQq+e7Pr7fCDkAM8jxG/3rqNTMFEwHQYDVR0OBBYE
FA1OhRF3qwFOI9MdFv0CIyX+rtdkMB8GA1UdIwQYMBaAFA1OhRF3qwFOI9MdFv0C
IyX+rtdkMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgWiNVy0Ox
dGDeT7r/zkOkC/upuNIIgpfZbwyLV61TCeoCIQD2jFSep63MGCg0Ts5ywrh3cUFa
k+ZUR79QT6gu27xCXA==
-----END CERTIFICATE-----
`;

/** Every key, each with a right value that differs from what is there without it. */
const privateKey = `-----BEGIN PRIVATE KEY-----\r\n${Buffer.from('not a key').toString('base64')}\r\n-----END PRIVATE KEY-----\r\n`;
const staticKey = '#\n# 2048 bit OpenVPN static key\n#\n-----BEGIN OpenVPN Static key V1-----\n0123456789abcdef\n-----END OpenVPN Static key V1-----\n';
const whole = {
  $schema: 'https://example/config.schema.json', hostname: 'ship-1', developmentMode: false, persistentLogging: true, country: 'DE',
  ntpServers: ['time.example', '192.0.2.7'], dnsServers: ['192.0.2.1', '2001:db8::1'], rootCA: Buffer.from(authority).toString('base64'),
  proxy: { http: 'http://user:p%20w@proxy.example:3128', https: 'http://[2001:db8::2]:3128/', exceptions: ['.local', '10.0.0.0/8', '*.example'] },
  vpn: { server: 'vpn.example', port: 443, protocol: 'tcp' as const, serverName: 'hub', ca: authority, certificate: Buffer.from(authority).toString('base64'), key: privateKey, uuid: 'a1b2', apiKey: 'secret', tlsCrypt: staticKey },
  registries: { mirrors: ['https://mirror.example'], insecure: ['registry.local:5000'] },
  engine: { 'log-level': 'debug', mtu: 1400, 'dns-search': ['example'], 'dns-opts': ['ndots:2'], labels: ['site=north'], 'live-restore': false, 'shutdown-timeout': 5 },
  os: {
    sshKeys: [key],
    network: { wifi: { randomMacAddressScan: false }, connectivity: { uri: 'http://check.example/?a=\\b', interval: 60, response: ' ok\\' } },
    udevRules: { '56-modem': 'ATTR{idVendor}=="1234", RUN+="/bin/true"' }, watchdog: { enabled: true, seconds: 15 }, updates: { lockMinutes: 30, usb: true }, firewall: { enabled: true, allow: ['80/tcp', '5010-5000/udp'] }, journal: { memoryMegabytes: 8, diskMegabytes: 32 },
    deviceTree: { overlays: ['i2c-gpio', 'BB-I2C1,00A0_v1.2'] },
  },
} satisfies DocumentedConfig;

const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false });
ajv.addKeyword({ keyword: 'complaint', schemaType: 'string' });
const valid = ajv.compile(schema);
const checkEngine = (text: string): void => void resolveSettings(parseConfigFile(text, 'daemon.json'), new Map());

/** Where ajv finds faults, as paths of the engine's complaints. */
function faultsByAjv(document: unknown): string[] {
  if (valid(document)) return [];
  const words = (pointer: string): string[] => pointer.split('/').slice(1).map((word) => word.replaceAll('~1', '/').replaceAll('~0', '~'));
  const places = (valid.errors ?? []).filter(({ propertyName }) => propertyName === undefined).map(({ instancePath, params }) => {
    const { additionalProperty: unknown, propertyName: name } = params as { additionalProperty?: string; propertyName?: string };
    return JSON.stringify([...words(instancePath), ...(unknown === undefined ? [] : [unknown]), ...(name === undefined ? [] : [name])]);
  });
  return [...new Set(places)].toSorted();
}

const faultsByEngine = (text: string): string[] => [...new Set(readConfig(text, undefined).complaints.map(({ path }) => JSON.stringify(path.map(String))))].toSorted();

describe('the keys of config.json', () => {
  test('are checked on the device as their schema says, place by place', () => {
    const values: unknown[] = [null, true, false, -1, 0, 9, 10, 3600, 3601, 1.5, 1e300, '', 'x', 'X', 'a\nb', '\u{1f600}'.repeat(120), 'a'.repeat(65537), [], [null], ['x', 1], [['x']], {}, { a: 1 }, { '56-x': 'y' }, { x: 'y' }, { __proto__x: 1 }, ...Object.values(whole)];
    const count = JSON.stringify(whole).split(/[,:[{]/).length;
    let wrong = 0;
    for (let at = 0; at < count; at += 1) {
      for (const value of values) {
        const text = JSON.stringify(put(whole, at, value));
        const document = JSON.parse(text) as unknown;
        if (typeof document !== 'object' || document === null || Array.isArray(document)) continue;
        const expected = faultsByAjv(document);
        expect(faultsByEngine(text), text.slice(0, 500)).toEqual(expected);
        if (expected.length > 0) wrong += 1;
      }
    }
    expect(faultsByAjv(whole)).toEqual([]);
    expect(wrong).toBeGreaterThan(count * 5);
  });

  test('that nobody knows are named wherever they stand, by whatever name', () => {
    for (const name of ['colour', '__proto__', 'constructor', 'toString', 'a.b', '']) {
      const text = JSON.stringify(whole).replace('"hostname"', `${JSON.stringify(name)}:1,"hostname"`).replace('"mirrors"', `${JSON.stringify(name)}:1,"mirrors"`);
      const said = readConfig(text, undefined);
      expect(said.complaints.map(({ path }) => path)).toEqual([[name], ['registries', name]]);
      expect(said.config).toEqual(readConfig(JSON.stringify(whole), undefined).config);
    }
    expect(complaintText({ path: ['a\nb\u009b', 0, 'c'], text: 'x' })).toBe('a?b?[0].c: x');
  });

  test('have the type of their schema', () => {
    const documented = (config: DeviceConfig): DocumentedConfig => config as Omit<DeviceConfig, 'engine'>;
    const onDevice = (config: DocumentedConfig): DeviceConfig => config as Omit<DocumentedConfig, 'engine'>;
    expect(onDevice(documented(whole))).toBe(whole);
  });

  test('each become a file for somebody', () => {
    const facts: Facts = { machineId: 'abc', developmentImage: true, asksForKeys: false, engineSettings: '' };
    const leaves = (described: Described, path: string[]): string[][] => (described.type === 'object' && described.values === undefined ? Object.entries(described.keys).flatMap(([name, inner]) => leaves(inner, [...path, name])) : [path]);
    const rendered = (config: DeviceConfig): string => JSON.stringify([RENDERERS.flatMap(({ outputs }) => outputs(config, facts)), engineSettings(config, undefined, checkEngine)]);
    const { config } = readConfig(JSON.stringify(whole), undefined);
    const of = leaves(CONFIG_KEYS, []).filter(([name]) => name !== '$schema');
    expect(of.length).toBeGreaterThan(25);
    for (const path of of) expect(rendered(JSON.parse(edit(JSON.stringify(config), {}, path.join('.'), undefined)) as DeviceConfig), path.join('.')).not.toBe(path.join('.') === 'os.watchdog.enabled' ? '' : rendered(config));
    expect(rendered({ os: { watchdog: { enabled: false } } })).toContain('RuntimeWatchdogSec=0');
  });
});

describe('a part that is of no use without others', () => {
  const login = { server: 'vpn.example', ca: authority, uuid: 'a', apiKey: 'b' };
  const { ca: _, ...withoutCa } = login;
  test.each<[string, object, string]>([
    ['lacks what it needs', withoutCa, 'vpn: without ca'],
    ['lacks each of what it needs one of', { server: 'vpn.example', ca: authority }, 'vpn: without certificate or uuid'],
    ['lacks the other half', { ...login, certificate: authority }, 'vpn: certificate without key'],
    ['has the other half wrong', { ...login, certificate: authority, key: 'x' }, 'vpn.key: not a key in PEM, nor one in base64'],
  ])('%s: it is named once, and the last good one stays whole', (_, vpn, said) => {
    const reading = readConfig(JSON.stringify({ hostname: 'b', vpn }), JSON.stringify({ hostname: 'a', vpn: { ...login, server: 'before.example' } }));
    expect(reading.complaints.map(complaintText)).toEqual([said]);
    expect(reading.config).toEqual({ hostname: 'b', vpn: { ...login, server: 'before.example' } });
    expect(reading.asksForKeys).toBe(false);
    expect(readConfig(JSON.stringify({ vpn }), undefined).config).toEqual({});
  });
});

describe('a wrong config.json', () => {
  const good = JSON.stringify({ hostname: 'ship-1', os: { sshKeys: [key], watchdog: { seconds: 15 } } });
  const of = (document: unknown): DeviceConfig => readConfig(JSON.stringify(document), good).config;

  test('that is missing, half there, empty or too large is one from before, whole', () => {
    for (const broken of [undefined, '{"hostname": "ship', '', '  \n', '[]', '1', 'null', '{} {}', '\0\0', '\ufffd', `{"hostname":"${'a'.repeat(1024 * 1024)}"}`, '['.repeat(100_000)]) {
      const said = readConfig(broken, good);
      expect(said.config).toEqual(JSON.parse(good));
      expect(said.complaints.map(complaintText)).toEqual([expect.stringContaining('the last good copy is used')]);
    }
    expect(readConfig('\ufeff{"hostname":"windows"}', good)).toMatchObject({ config: { hostname: 'windows' }, complaints: [] });
    for (const copy of ['', '[]', '{"hostname":', '{"hostname":5,"os":[]}', '\0']) expect(readConfig(undefined, copy).config).toEqual({});
  });

  test('keeps the last good value of what is wrong alone', () => {
    expect(of({ hostname: 'Ship One', developmentMode: false, colour: 1, os: { sshKeys: ['ssh-dss AAAA'], watchdog: { seconds: 1, enabled: false } } })).toEqual({ hostname: 'ship-1', developmentMode: false, os: { sshKeys: [key], watchdog: { seconds: 15, enabled: false } } });
    expect(of({ os: 5 })).toEqual({ os: { sshKeys: [key], watchdog: { seconds: 15 } } });
    expect(of({ os: { watchdog: [] } })).toEqual({ os: { watchdog: { seconds: 15 } } });
    expect(of({ country: 'germany' })).toEqual({});
    expect(of({}), 'what is not there is not asked for').toEqual({});
  });

  test('of a list counts what is right of it, and the one before where nothing is', () => {
    expect(of({ os: { sshKeys: [key, `${key}\nssh-ed25519 AAAA evil`, 5] } }).os).toEqual({ sshKeys: [key] });
    expect(of({ os: { sshKeys: [] } }).os).toEqual({ sshKeys: [] });
    expect(readConfig('{"dnsServers":["1.1.1.1","1.1.1"]}', undefined)).toMatchObject({ config: { dnsServers: ['1.1.1.1'] }, complaints: [{ path: ['dnsServers', 1] }] });
  });

  test('of any bytes is read, and what comes of it is right', async () => {
    const documents = [JSON.stringify(whole), good, '{"os":{"udevRules":{"10-a":"b"}}}'];
    await fuzz({
      name: 'config.json', corpus: documents, words: ['"os":', '"__proto__":', '"sshKeys"', 'null', '[', '{', '1e400', '\\u0000'],
      run(input) {
        const { config, complaints } = readConfig(input, good);
        must(valid(config), `config of ${JSON.stringify(config)}`);
        for (const complaint of complaints) must(!/[\n\r]/.test(complaintText(complaint)), 'a complaint of one line');
        must(readConfig(JSON.stringify(config), undefined).complaints.length === 0, 'the copy that is kept has no faults');
        must(readConfig(undefined, JSON.stringify(config)).config.hostname === config.hostname, 'and is read again');
      },
    });
  }, limitMs);
});

describe('addresses', () => {
  test('are those that a name server can have', async () => {
    const { isIP } = await import('node:net');
    const right = (address: string): boolean => readConfig(JSON.stringify({ dnsServers: [address] }), undefined).complaints.length === 0;
    const corpus = ['1.2.3.4', '255.255.255.255', '::', '::1', '2001:db8::1', '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7::', '::2:3:4:5:6:7:8', 'fe80::1:2'];
    for (const address of corpus) expect(right(address), address).toBe(true);
    for (let round = 0; round < ROUNDS * 20; round += 1) {
      const text = mutate(corpus, [':', '::', '.', '0', '256', 'ffff', 'g'], randomOf(round)).slice(0, 60);
      if (right(text)) expect(isIP(text), text).not.toBe(0);
      else if (isIP(text) !== 0) expect(text, 'what is left out: zones, and IPv4 within IPv6').toMatch(/%|:.*\./);
    }
  }, limitMs);
});

describe('editing', () => {
  const text = '{\n  "hostname": "ship-1",\n  "colour": 1,\n  "os": { "sshKeys": [] }\n}\n';

  test('puts a value in its place, and leaves everything else', () => {
    expect(JSON.parse(edit(text, {}, 'hostname', 'boat'))).toEqual({ hostname: 'boat', colour: 1, os: { sshKeys: [] } });
    expect(JSON.parse(edit(text, {}, 'os.watchdog.seconds', '20'))).toMatchObject({ os: { sshKeys: [], watchdog: { seconds: 20 } } });
    expect(JSON.parse(edit(text, {}, 'os.sshKeys', key))).toMatchObject({ os: { sshKeys: [key] } });
    expect(JSON.parse(edit(text, {}, 'os.udevRules.56-a', 'x'))).toMatchObject({ os: { udevRules: { '56-a': 'x' } } });
    expect(JSON.parse(edit(text, {}, 'os.sshKeys', undefined))).toEqual({ hostname: 'ship-1', colour: 1 });
    expect(Object.keys(JSON.parse(edit(text, {}, 'hostname', 'boat')) as object)).toEqual(['hostname', 'colour', 'os']);
    expect(JSON.parse(edit('{"host', { country: 'DE' }, 'hostname', 'boat')), 'a broken file').toEqual({ country: 'DE', hostname: 'boat' });
    expect(JSON.parse(edit('{"os":5}', {}, 'os.sshKeys', '[]'))).toEqual({ os: { sshKeys: [] } });
  });

  test.each([
    ['hostname', 'Ship 1', 'hostname: not a host name of small letters, digits and dashes'], ['developmentMode', 'yes', 'developmentMode: neither true nor false'],
    ['os.watchdog.seconds', '5', 'os.watchdog.seconds: less than 10'], ['os.sshKeys', '["a"]', 'os.sshKeys[0]: not a public key'], ['ntpServers', '[', 'ntpServers: not a list'],
    ['engine.log-level', 'loud', 'engine.log-level: none of debug, info, warn, error, fatal'], ['hostnam', 'a', 'there is no key hostnam'], ['os.x', 'a', 'there is no key os.x'],
    ['hostname.x', 'a', 'there is no key hostname.x'], ['__proto__', '{}', 'there is no key __proto__'], ['os.udevRules.modem', 'x', 'there is no key os.udevRules.modem'], ['', 'x', 'there is no key '],
  ])('refuses %s = %s and says why', (name, value, message) => {
    const refusal = (): unknown => { try { return edit(text, {}, name, value); } catch (error) { return error; } };
    expect(refusal()).toBeInstanceOf(EngineError);
    expect(refusal()).toMatchObject({ message, hint: expect.stringMatching(/./) });
  });
});

describe('certificates', () => {
  test('come as PEM or as base64 of it, with lines as programs want them', () => {
    expect(certificatesOf(authority)).toBe(authority);
    expect(certificatesOf(Buffer.from(`${authority}\n${authority}`).toString('base64'))).toBe(authority + authority);
    expect(certificatesOf(authority.replaceAll('\n', '\r\n'))).toBe(authority);
  });

  test('that are none are left out', () => {
    for (const text of ['', 'LS0t', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', authority.slice(0, 300), authority.replace('MII', 'AII'), '-----BEGIN CERTIFICATE-----%%%-----END CERTIFICATE-----']) expect(certificatesOf(text)).toBe('');
    expect(certificatesOf(authority + authority.replace('MII', 'AII'))).toBe(authority);
  });
});

describe('the engine’s settings', () => {
  test('are those of config.json over those by hand, without what the engine would refuse', () => {
    const of = (config: DeviceConfig, byHand?: string) => {
      const { text, complaints } = engineSettings(config, byHand, checkEngine);
      return { settings: JSON.parse(text) as Json, complaints };
    };
    expect(of({})).toEqual({ settings: {}, complaints: [] });
    expect(of({ engine: { mtu: 1400 }, registries: { mirrors: ['https://m'] } }, '{"mtu":1300,"labels":["a=b"]}')).toEqual({ settings: { mtu: 1400, labels: ['a=b'], 'registry-mirrors': ['https://m'] }, complaints: [] });
    expect(of({ engine: { mtu: 1400 } }, '{"mtuu":1}')).toMatchObject({ settings: { mtu: 1400 }, complaints: [expect.stringMatching(/^\/etc\/minke\/daemon\.json: .*mtuu.*it does not count$/)] });
    expect(of({}, '{"labels":["a=b"],"dns":["1.1.1.1"],"data-root":"/x"}')).toMatchObject({ settings: { labels: ['a=b'] }, complaints: [expect.stringContaining('data-root'), expect.stringContaining('dns')] });
    expect(of({}, '{"labels":')).toMatchObject({ settings: {}, complaints: [expect.stringContaining('not JSON')] });
    expect(of({ engine: whole.engine, registries: whole.registries }).complaints).toEqual([]);
  });

  test('leave out whatever the engine’s unit gives it: said twice, it would not start', () => {
    const unit = readFileSync(new URL('../../../recipes/engine/files/usr/lib/systemd/system/minke.service', import.meta.url), 'utf8');
    const flags = [...(/^ExecStart=.*$/m.exec(unit)?.[0] ?? '').matchAll(/ --([\w-]+)/g)].map(([, flag = '']) => (flag === 'host' ? 'hosts' : flag)).filter((flag) => flag !== 'config-file');
    expect(flags).toContain('delta-data-root');
    for (const flag of flags) expect(JSON.parse(engineSettings({}, JSON.stringify({ [flag]: flag === 'hosts' ? ['unix:///x'] : flag === 'dns' ? ['1.1.1.1'] : '/x' }), checkEngine).text), flag).toEqual({});
  });
});

describe('applied to a device', () => {
  let device: ConfigDevice;
  beforeEach(() => void (device = configDevice()));
  const apply = (config?: unknown): Promise<Applied> => {
    if (config !== undefined) device.disk.files.set('/mnt/boot/config.json', Buffer.from(typeof config === 'string' ? config : JSON.stringify(config)));
    device.done.length = 0;
    return applyConfig(device.system, checkEngine);
  };
  const run = (name: string): string | undefined => device.text(`/run/minke-config/${name}`);

  test('host name and keys count; keys alone open SSH', async () => {
    expect(await apply({ hostname: 'ship-1', os: { sshKeys: [key] } })).toMatchObject({ complaints: [], failures: [] });
    expect(run('ssh/authorized_keys')).toBe(`${key}\n`);
    expect(run('dropbear.env')).toBe('DROPBEAR_OPTIONS=-s\n');
    expect(run('hostname')).toBe('ship-1\n');
    expect(run('complaints')).toBe('');
    expect(device.done).toContain('/proc/sys/kernel/hostname ship-1');
    expect(device.text('/etc/minke/config.json')).toBe(`${JSON.stringify({ hostname: 'ship-1', os: { sshKeys: [key] } })}\n`);
  });

  test('without a file the device has a name, is open in development and closed in production', async () => {
    expect((await apply()).complaints).toEqual(['the file is missing: the last good copy is used']);
    expect(run('hostname')).toBe('minke-0123456\n');
    expect([run('dropbear.env'), run('development'), run('engine.env')]).toEqual(['DROPBEAR_OPTIONS=-B\n', '', 'MINKE_CONFIG_FILE=/run/minke-config/daemon.json\nMINKE_DEVELOPMENT_OPTIONS=--host=tcp://0.0.0.0:2375 --tls=false\n']);
    expect(device.done).toContain('mount /run/minke-config/shadow /etc/shadow');
    expect(run('shadow')).toBe('root::1:0:99999:7:::\ndaemon:*:1::::::\n');
    for (const [development, config] of [[false, { developmentMode: true }], [true, { developmentMode: false }]] as const) {
      device = configDevice({ development });
      await apply(config);
      expect([run('dropbear.env'), run('development'), run('engine.env'), run('shadow')]).toEqual(['DROPBEAR_OPTIONS=-s\n', undefined, 'MINKE_CONFIG_FILE=/run/minke-config/daemon.json\nMINKE_DEVELOPMENT_OPTIONS=\n', undefined]);
      expect(device.done.join()).not.toContain('shadow');
    }
  });

  test.each([
    { os: { sshKeys: ['ssh-ed25519'] } }, { os: { sshKeys: 'ssh-ed25519 AAAA' } }, { os: 5 }, { os: { sshkeys: [key] } }, { sshKeys: [key] }, { os: { ssh_keys: [key] } }, `{"os": {"sshKeys": ["${key}"`,
  ])('a mistyped key does not open the door: %j', async (config) => {
    await apply(config);
    expect(run('dropbear.env')).toBe('DROPBEAR_OPTIONS=-s\n');
    expect(run('ssh/authorized_keys')).toBe('');
  });

  test('a fault elsewhere leaves the door of a development image as it is', async () => {
    await apply({ os: { watchdog: { seconds: 1 } }, hostname: 'NO' });
    expect(run('dropbear.env')).toBe('DROPBEAR_OPTIONS=-B\n');
  });

  test('at a start no service is told but those that run already, and only of what differs from their own', async () => {
    await apply({});
    expect(device.done).toEqual(['/proc/sys/kernel/hostname minke-0123456', 'mount /run/minke-config/shadow /etc/shadow']);
    device.restart();
    expect((await apply({ ...whole, developmentMode: true })).failures).toEqual([]);
    expect(device.done).toEqual([
      '/proc/sys/kernel/hostname ship-1', 'mount /run/minke-config/shadow /etc/shadow', 'mount /run/minke-config/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt',
      'udevadm control --reload', 'iw reg set DE', 'udevadm trigger --type=devices --action=add', 'systemctl daemon-reload',
      'mount /mnt/data/journal /var/log/journal', 'journalctl --flush', 'systemctl --no-block try-restart systemd-journald.service',
    ]);
  });

  test.each([
    [{ hostname: 'boat' }, ['/proc/sys/kernel/hostname boat', 'systemctl --no-block try-restart avahi-daemon.service']],
    [{ os: { sshKeys: [key] } }, []],
    [{ developmentMode: false }, ['unmount /etc/shadow', 'systemctl --no-block stop getty@*.service serial-getty@*.service', 'systemctl --no-block try-restart minke.service']],
    [{ ntpServers: ['a.example'] }, ['chronyc reload sources']],
    [{ dnsServers: ['1.1.1.1'] }, ['systemctl --no-block try-restart dnsmasq.service']],
    [{ rootCA: authority }, ['mount /run/minke-config/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt', 'systemctl --no-block try-restart minke.service']],
    [{ proxy: { http: 'http://p:1' }, engine: { mtu: 1400 } }, ['systemctl --no-block try-restart minke.service']],
    [{ os: { network: { wifi: { randomMacAddressScan: false } } } }, ['systemctl --no-block try-reload-or-restart NetworkManager.service']],
    [{ vpn: { server: 'vpn.example', ca: authority, uuid: 'a', apiKey: 'b' } }, ['systemctl --no-block try-restart openvpn.service']],
    [{ country: 'US' }, ['udevadm control --reload', 'iw reg set US']],
    [{ os: { udevRules: { '56-a': 'x' } } }, ['udevadm control --reload', 'udevadm trigger --type=devices --action=change']],
    [{ os: { watchdog: { enabled: false } } }, ['systemctl daemon-reload']],
    [{ os: { journal: { memoryMegabytes: 8 } } }, ['systemctl --no-block try-restart systemd-journald.service']],
    [{ persistentLogging: true }, ['mount /mnt/data/journal /var/log/journal', 'journalctl --flush']],
  ])('a change is told to those it concerns and to no others: %j', async (config, told) => {
    await apply({});
    await apply(config);
    expect(device.done).toEqual(told);
    expect((await apply(config)).changed, 'the same once more').toEqual([]);
    expect(device.done).toEqual([]);
    await apply({});
    expect(device.done.length > 0 || told.length === 0, 'and back').toBe(true);
    const fresh = configDevice();
    await applyConfig({ ...fresh.system, files: fresh.system.files }, checkEngine);
    const files = (of: ConfigDevice): string[] => [...of.disk.files.keys()].filter((path) => path.startsWith('/run/') && !/boot|shadow|ca-certificates|\.new$/.test(path)).toSorted();
    expect(files(device)).toEqual(files(fresh));
  });

  test('what each service reads', async () => {
    await apply({ ...whole, developmentMode: true });
    const texts = Object.fromEntries(RENDERERS.flatMap(({ outputs }) => outputs(readConfig(JSON.stringify(whole), undefined).config, { machineId: '', developmentImage: true, asksForKeys: false, engineSettings: '' })).map(({ path }) => [path, device.text(path)]));
    expect(texts).toMatchObject({
      '/run/minke-config/chrony/servers.sources': 'server time.example iburst\nserver 192.0.2.7 iburst\n',
      '/run/minke-dns/config.conf': 'server=192.0.2.1\nserver=2001:db8::1\n',
      '/run/minke-config/proxy.env': 'HTTP_PROXY="http://user:p%20w@proxy.example:3128"\nhttp_proxy="http://user:p%20w@proxy.example:3128"\nHTTPS_PROXY="http://[2001:db8::2]:3128/"\nhttps_proxy="http://[2001:db8::2]:3128/"\nNO_PROXY=".local,10.0.0.0/8,*.example"\nno_proxy=".local,10.0.0.0/8,*.example"\n',
      '/run/NetworkManager/conf.d/50-minke-config.conf': '[device-minke-config]\nwifi.scan-rand-mac-address=no\n[connectivity]\nenabled=true\nuri=http://check.example/?a=\\\\b\ninterval=60\nresponse=\\sok\\\\\n',
      '/run/minke-config/openvpn/login': 'a1b2\nsecret\n',
      '/run/minke-config/openvpn/client.conf': expect.stringMatching(/^client\ndev tun\nproto tcp\nremote vpn\.example 443\n[^]*\nverify-x509-name hub name\nauth-user-pass \/run\/minke-config\/openvpn\/login\n<ca>\n-----BEGIN[^\r]*<tls-crypt>\n#\n# 2048 bit OpenVPN static key\n[^\r]*\n<\/tls-crypt>\n$/) as string,
      '/run/udev/rules.d/56-modem-minke-config.rules': 'ATTR{idVendor}=="1234", RUN+="/bin/true"\n',
      '/run/udev/rules.d/90-country-minke-config.rules': 'ACTION=="add", SUBSYSTEM=="ieee80211", RUN+="/usr/sbin/iw reg set DE"\n',
      '/run/systemd/system.conf.d/50-minke-config.conf': '[Manager]\nRuntimeWatchdogSec=15\n',
      '/run/systemd/journald.conf.d/50-minke-config.conf': '[Journal]\nRuntimeMaxUse=8M\nSystemMaxUse=32M\n',
    });
    expect(run('ca-certificates.crt')).toBe(`usual\n${authority}`);
    expect(JSON.parse(run('daemon.json') ?? '')).toEqual({ ...whole.engine, 'registry-mirrors': whole.registries.mirrors, 'insecure-registries': whole.registries.insecure });
    expect(run('chrony/servers.sources')).not.toContain('pool');
  });

  test('what one service makes of it keeps nothing from the others', async () => {
    device = configDevice({ failing: 'udevadm' });
    const { failures } = await apply(whole);
    expect(failures).toEqual(['udevadm control --reload: udevadm control --reload ended with 1', 'udevadm trigger --type=devices --action=add: udevadm trigger --type=devices --action=add ended with 1']);
    expect(device.done).toContain('journalctl --flush');
    expect(run('ssh/authorized_keys')).toBe(`${key}\n`);
  });

  test('a power cut at any moment leaves a good copy, and what was not done is done by the next run', async () => {
    const others = ['mount', 'systemctl', 'udevadm', 'journalctl', 'iw', '/proc'];
    const kinds = (done: readonly string[]): string[] => [...new Set(done)].filter((line) => others.some((name) => line.startsWith(name))).toSorted();
    await apply({ hostname: 'before' });
    await apply({ ...whole, developmentMode: true });
    const wanted = kinds(device.done);
    expect(wanted.length).toBeGreaterThan(10);
    let cuts = 0;
    for (let changes = 0; ; changes += 1) {
      const power = { changesLeft: Number.POSITIVE_INFINITY, torn: false };
      device = configDevice({ power });
      await apply({ hostname: 'before' });
      device.disk.files.set('/mnt/boot/config.json', Buffer.from(JSON.stringify({ ...whole, developmentMode: true })));
      device.done.length = 0;
      power.changesLeft = changes;
      const reached = await applyConfig(device.system, checkEngine).then(() => power.changesLeft > 0, () => false);
      const early = [...device.done];
      power.changesLeft = Number.POSITIVE_INFINITY;
      const copy = readConfig(undefined, device.text('/etc/minke/config.json')).config.hostname;
      expect(['before', 'ship-1']).toContain(copy);
      // Killed, with /run as it was: the next run finishes.
      await applyConfig(device.system, checkEngine);
      expect(kinds([...early, ...device.done])).toEqual(expect.arrayContaining(wanted));
      expect(run('hostname')).toBe('ship-1\n');
      if (reached) break;
      cuts += 1;
    }
    expect(cuts).toBeGreaterThan(15);
  });
});
