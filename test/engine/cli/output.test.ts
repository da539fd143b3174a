import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { base64, fromBase64 } from '../../../src/engine/cli/credentials.ts';
import { ipamConfigs } from '../../../src/engine/cli/commands/networks.ts';
import { cpuPercent, memoryInUse } from '../../../src/engine/cli/commands/container-stats.ts';
import { familiarName, registryOf, splitImageName } from '../../../src/engine/cli/output/image-name.ts';
import { apiTime } from '../../../src/engine/cli/output/time-argument.ts';
import { runProgram } from '../../../src/engine/cli/program.ts';
import { fakeDaemon, type FakeDaemon, type Route } from './support/fake-daemon.ts';
import { fakeTerminal, type FakeTerminalOptions } from './support/node-ports.ts';

process.env['TZ'] = 'UTC';

describe('image names', () => {
  it.each([
    ['a', 'a', '', ''], ['a:1', 'a', '1', ''], ['host:5000/a', 'host:5000/a', '', ''], ['host:5000/a/b:v2', 'host:5000/a/b', 'v2', ''], ['a@sha256:12', 'a', '', 'sha256:12'], ['a:1@sha256:12', 'a', '1', 'sha256:12'],
  ])('%s', (name, repository, tag, digest) => {
    expect(splitImageName(name)).toEqual({ repository, tag, digest });
  });
  it('are shortened, and belong to a registry', () => {
    expect([familiarName('docker.io/library/a'), familiarName('docker.io/team/a:1'), familiarName('h.io/a')]).toEqual(['a:latest', 'team/a:1', 'h.io/a:latest']);
    expect([registryOf('a'), registryOf('team/a'), registryOf('localhost/a'), registryOf('h:5000/a'), registryOf('h.io/a')]).toEqual(['docker.io', 'docker.io', 'localhost', 'h:5000', 'h.io']);
  });
});

describe('--since and --until', () => {
  const now = 1_760_000_000_500;
  it.each([
    ['', undefined], ['1760000000', '1760000000'], ['1760000000.123', '1760000000.123'], ['10m', '1759999400.500000000'], ['1.5h', '1759994600.500000000'],
    ['2025-10-09', '1759968000.000000000'], ['2025-10-09T08:53', '1759999980.000000000'], ['2025-10-09T08:53:20.25Z', '1760000000.250000000'], ['2025-10-09T10:53:20+02:00', '1760000000.000000000'],
  ])('%s', (text, expected) => {
    expect(apiTime(text, now)).toBe(expected);
  });
  it('refuses anything else', () => {
    for (const wrong of ['yesterday', '2025-13-45', '12:00']) expect(() => apiTime(wrong, now)).toThrow('failed to parse value as time or duration');
  });
});

describe('network ranges', () => {
  it('belong to the subnet that holds them', () => {
    expect(ipamConfigs(['10.1.0.0/16', 'fd00::/64'], ['10.1.2.0/24'], ['10.1.0.1', 'fd00::1'], { host: '10.1.0.9' })).toEqual([
      { Subnet: '10.1.0.0/16', IPRange: '10.1.2.0/24', Gateway: '10.1.0.1', AuxiliaryAddresses: { host: '10.1.0.9' } }, { Subnet: 'fd00::/64', Gateway: 'fd00::1' },
    ]);
    expect(() => ipamConfigs(['10.1.0.0/16'], [], ['10.2.0.1'], {})).toThrow('no matching subnet for gateway 10.2.0.1');
    expect(() => ipamConfigs([], [], ['10.2.0.1'], {})).toThrow('must have a corresponding subnet');
    expect(() => ipamConfigs(['10.1.0.0/16'], [], ['10.1.0.1', '10.1.0.2'], {})).toThrow('multiple gateways');
  });
});

describe('stats', () => {
  it('are shares of one processor, and memory without cache', () => {
    const sample = (total: number, system: number) => ({ cpu_usage: { total_usage: total }, system_cpu_usage: system, online_cpus: 4 });
    expect(cpuPercent({ cpu_stats: sample(300, 2000), precpu_stats: sample(200, 1000) })).toBeCloseTo(40);
    expect(cpuPercent({ cpu_stats: sample(300, 2000) })).toBeGreaterThan(0);
    expect(memoryInUse({ memory_stats: { usage: 100, stats: { inactive_file: 30 } } })).toBe(70);
    expect(memoryInUse({ memory_stats: { usage: 100, stats: { total_inactive_file: 20, inactive_file: 30 } } })).toBe(80);
    expect(memoryInUse({ memory_stats: { usage: 10, stats: { inactive_file: 30 } } })).toBe(10);
  });
});

describe('against a daemon', () => {
  const folder = mkdtempSync(join(tmpdir(), 'engine-cli-output-'));
  let daemon: FakeDaemon | null = null;
  afterEach(async () => {
    await daemon?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const run = async (args: readonly string[], routes: Readonly<Record<string, Route>>, options: FakeTerminalOptions = {}) => {
    daemon = await fakeDaemon({ routes });
    const terminal = fakeTerminal({ ...options, environment: { PATH: process.env['PATH'] ?? '', HOME: folder, MINKE_HOST: daemon.host, DOCKER_CONFIG: folder, ...options.environment } });
    const code = await runProgram(['minke', ...args], terminal.ports);
    return { code, stdout: terminal.stdout(), stderr: terminal.stderr(), seen: daemon.seen };
  };

  it('draws the progress of each layer in its line', async () => {
    const messages = ['{"status":"Pulling fs layer","id":"aa"}', '{"status":"Pulling fs layer","id":"bb"}', '{"status":"Downloading","progressDetail":{"current":500,"total":1000},"id":"aa"}', '{"status":"Status: done"}'];
    const { stdout } = await run(['pull', 'a:1'], { 'POST /images/create': () => ({ text: messages.join('\r\n') }) }, { tty: true, size: { columns: 80, rows: 24 } });
    expect(stdout).toBe('aa: Pulling fs layer\nbb: Pulling fs layer\n\x1b[2A\x1b[2K\raa: Downloading     500B/1kB\r\x1b[2BStatus: done\ndocker.io/library/a:1\n');
  });

  it('sends the credentials of the registry, and only those', async () => {
    const config = { auths: { 'h.io': { auth: Buffer.from('me:se:cret').toString('base64') } } };
    rmSync(folder, { recursive: true, force: true });
    const routes = { 'POST /images/create': () => ({ text: '{"status":"ok"}\n' }) };
    const write = () => {
      const made = mkdtempSync(folder);
      writeFileSync(join(made, 'config.json'), JSON.stringify(config));
      return made;
    };
    const made = write();
    const own = await run(['pull', '-q', 'h.io/a'], routes, { environment: { DOCKER_CONFIG: made } });
    const header = own.seen.find(({ path }) => path === '/images/create')?.headers['x-registry-auth'];
    expect(JSON.parse(Buffer.from(String(header), 'base64url').toString())).toEqual({ username: 'me', password: 'se:cret', serveraddress: 'h.io' });
    await daemon?.close();
    const other = await run(['pull', '-q', 'other.io/a'], routes, { environment: { DOCKER_CONFIG: made } });
    expect(other.seen.find(({ path }) => path === '/images/create')?.headers['x-registry-auth']).toBeUndefined();
    rmSync(made, { recursive: true });
  });

  it('keeps a login where only its owner reads it, and forgets it', async () => {
    const made = mkdtempSync(folder);
    const environment = { DOCKER_CONFIG: join(made, 'new') };
    const auth = { 'POST /auth': () => ({ json: { Status: 'Login Succeeded', IdentityToken: '' } }) };
    expect(await run(['login', '-u', 'me', '--password-stdin', 'h.io'], auth, { stdin: ['secret\n'], environment })).toMatchObject({ code: 0, stdout: 'Login Succeeded\n' });
    const file = join(made, 'new', 'config.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ auths: { 'h.io': { auth: Buffer.from('me:secret').toString('base64') } } });
    await daemon?.close();
    expect(await run(['logout', 'h.io'], {}, { environment })).toMatchObject({ code: 0 });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ auths: {} });
    rmSync(made, { recursive: true });
  });

  it('a config.json that is no JSON says so', async () => {
    const made = mkdtempSync(folder);
    writeFileSync(join(made, 'config.json'), '{ broken');
    const { code, stderr } = await run(['ps'], {}, { environment: { DOCKER_CONFIG: made } });
    expect([code, stderr]).toEqual([1, `${made}/config.json is not a JSON object; correct it or name another folder with --config\n`]);
    rmSync(made, { recursive: true });
  });

  it('save leaves either the whole archive or none', async () => {
    const made = mkdtempSync(folder);
    const target = join(made, 'image.tar');
    expect(await run(['save', '-o', target, 'a'], { 'GET /images/get': () => ({ text: 'archive' }) })).toMatchObject({ code: 0 });
    expect(readFileSync(target, 'utf8')).toBe('archive');
    await daemon?.close();
    const broken = await run(['save', '-o', join(made, 'broken.tar'), 'a'], { 'GET /images/get': () => ({ stream: (response) => { response.write('half'); setTimeout(() => response.destroy(), 20); } }) });
    expect(broken.code).toBe(1);
    expect(broken.stderr).toContain('closed the connection');
    expect(() => statSync(join(made, 'broken.tar'))).toThrow('ENOENT');
    rmSync(made, { recursive: true });
  });

  it('events keep all nine digits of their times', async () => {
    const { stdout } = await run(['events', '--until', '1'], { 'GET /events': () => ({ text: '{"Type":"container","Action":"die","Actor":{"ID":"x","Attributes":{"b":"2","a":"1"}},"time":1760000000,"timeNano":1760000000123456789}\n' }) });
    expect(stdout).toBe('2025-10-09T08:53:20.123456789Z container die x (a=1, b=2)\n');
  });
});

describe('base64', () => {
  it('agrees with the platform for every length', () => {
    for (let length = 0; length < 70; length++) {
      const bytes = Uint8Array.from({ length }, (_, at) => (at * 73 + length) & 255);
      expect(base64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
      expect(Buffer.from(base64(bytes, 'url'), 'base64url').equals(bytes)).toBe(true);
      expect([...fromBase64(base64(bytes))]).toEqual([...bytes]);
    }
    expect(() => fromBase64('a*b')).toThrow('malformed base64');
  });
});
