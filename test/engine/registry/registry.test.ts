import { describe, expect, it } from 'vitest';
import { choosePlatform, formatPlatform, parsePlatform, suits } from '../../../src/engine/images/platform.ts';
import { parseChallenges } from '../../../src/engine/registry/challenge.ts';
import { decodeAuthHeader, readCredentials } from '../../../src/engine/registry/credentials.ts';
import { planEndpoints } from '../../../src/engine/registry/endpoints.ts';
import { parseManifest } from '../../../src/engine/registry/manifest.ts';
import { errorFromAnswer, isTransient, RegistryError } from '../../../src/engine/registry/registry-error.ts';
import { retryDelayMs } from '../../../src/engine/registry/retry.ts';
import { authority, follow, formatQuery, formatUrl, parseUrl } from '../../../src/engine/registry/url.ts';

describe('challenges', () => {
  const read = (header: string) => parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
  it('are read as registries write them', () => {
    expect(read('Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"')).toEqual([
      ['bearer', { realm: 'https://auth.example/token', service: 'registry.example', scope: 'repository:a/b:pull,push' }],
    ]);
    expect(read('Basic realm="a \\"quoted\\" name"')).toEqual([['basic', { realm: 'a "quoted" name' }]]);
    expect(read('Bearer  realm=https://x/t , error = "insufficient_scope", Basic realm="y"')).toEqual([
      ['bearer', { realm: 'https://x/t', error: 'insufficient_scope' }],
      ['basic', { realm: 'y' }],
    ]);
    expect(read('Negotiate, Basic realm=""')).toEqual([['negotiate', {}], ['basic', { realm: '' }]]);
  });
  it('that are malformed do no harm', () => {
    expect(read('')).toEqual([]);
    expect(read('=,"')).toEqual([]);
    expect(read('Bearer realm="never ends')).toHaveLength(1);
    expect(read(`Bearer ${'a='.repeat(5000)}`)[0]?.[0]).toBe('bearer');
  });
});

describe('addresses', () => {
  it('are taken apart and put together', () => {
    expect(parseUrl('HTTPS://Host.Example:8443/a/b?c=d#e')).toEqual({ secure: true, host: 'host.example', port: 8443, target: '/a/b?c=d' });
    expect(parseUrl('http://[::1]:5000?x')).toEqual({ secure: false, host: '::1', port: 5000, target: '/?x' });
    expect(parseUrl('https://user:password@host/')).toEqual({ secure: true, host: 'host', port: 443, target: '/' });
    for (const wrong of ['ftp://host/', 'https://', 'https://host:0/', 'https://host:70000/', 'host/path', 'https://ho st/']) expect(parseUrl(wrong)).toBeUndefined();
    expect(authority({ secure: true, host: '::1', port: 443, target: '/' })).toBe('[::1]');
    expect(authority({ secure: false, host: 'a', port: 443, target: '/' })).toBe('a:443');
    expect(formatQuery({ scope: 'repository:a/b:pull', none: undefined })).toBe('?scope=repository%3Aa%2Fb%3Apull');
  });
  it('lead on by redirects', () => {
    const base = { secure: true, host: 'a', port: 5000, target: '/v2/x/blobs/1?q' };
    const to = (location: string) => {
      const next = follow(base, location);
      return next === undefined ? undefined : formatUrl(next);
    };
    expect(to('http://b/c')).toBe('http://b/c');
    expect(to('//b/c')).toBe('https://b/c');
    expect(to('/c?d')).toBe('https://a:5000/c?d');
    expect(to('2')).toBe('https://a:5000/v2/x/blobs/2');
    expect(to('?z')).toBe('https://a:5000/v2/x/blobs/1?z');
    expect(to('file:///etc/passwd')).toBeUndefined();
    expect(to('/a b')).toBeUndefined();
  });
});

describe('platforms', () => {
  const offer = (...names: string[]) => names.map((name) => ({ name, platform: { os: 'linux', ...split(name) } }));
  const split = (name: string): { architecture: string; variant?: string } => {
    const [architecture = '', variant] = name.split('/');
    return { architecture, ...(variant === undefined ? {} : { variant }) };
  };
  const chosen = (wanted: string, ...offers: string[]) => choosePlatform(offer(...offers), parsePlatform(wanted))?.name;
  it('are chosen as Docker chooses', () => {
    expect(chosen('linux/arm/v7', 'amd64', 'arm/v5', 'arm/v7', 'arm/v6')).toBe('arm/v7');
    expect(chosen('linux/arm/v6', 'arm/v5', 'arm/v7', 'arm/v6')).toBe('arm/v6');
    expect(chosen('linux/arm/v6', 'arm/v7', 'arm/v5')).toBe('arm/v5');
    expect(chosen('linux/arm/v5', 'arm/v7', 'arm/v6')).toBeUndefined();
    expect(chosen('linux/arm/v7', 'arm', 'arm/v6')).toBe('arm/v6');
    expect(chosen('linux/arm/v7', 'arm')).toBe('arm');
    expect(chosen('linux/arm64', 'arm/v7', 'arm64/v8', 'amd64')).toBe('arm64/v8');
    expect(chosen('linux/arm64/v8', 'arm/v7', 'arm64')).toBe('arm64');
    expect(chosen('linux/arm64', 'arm/v6', 'arm/v7', 'amd64')).toBe('arm/v7');
    expect(chosen('linux/amd64', 'amd64/v3', '386', 'amd64')).toBe('amd64');
    expect(chosen('linux/amd64', 'amd64/v3', '386')).toBe('386');
    expect(chosen('linux/386', 'amd64')).toBeUndefined();
  });
  it('of other systems and attestations are no choice', () => {
    const odd = [{ platform: { os: 'unknown', architecture: 'unknown' } }, { platform: { os: 'windows', architecture: 'amd64' } }];
    expect(choosePlatform(odd, parsePlatform('linux/amd64'))).toBeUndefined();
    expect(choosePlatform([{ digest: 'x' }] as { digest: string; platform?: object }[], parsePlatform('amd64'))?.digest).toBe('x');
  });
  it('are read as people write them', () => {
    expect(['linux/arm/v7', 'arm64', 'linux/aarch64/v8', 'x86_64', 'armhf', 'linux/arm/6'].map((text) => formatPlatform(parsePlatform(text)))).toEqual([
      'linux/arm/v7', 'linux/arm64', 'linux/arm64', 'linux/amd64', 'linux/arm/v7', 'linux/arm/v6',
    ]);
    for (const wrong of ['windows/amd64', 'linux/', 'linux/arm/v7/x', '', 'a b']) expect(() => parsePlatform(wrong)).toThrow(/invalid platform/);
    expect([suits(parsePlatform('linux/arm/v6'), parsePlatform('linux/arm/v7')), suits(parsePlatform('linux/arm/v7'), parsePlatform('linux/arm/v6'))]).toEqual([true, false]);
  });
});

describe('manifests', () => {
  const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digest('a'), size: 10 };
  it('are images or indexes', () => {
    const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd', digest: digest('b'), size: 20 }];
    expect(parseManifest(JSON.stringify({ schemaVersion: 2, config, layers }))).toMatchObject({ kind: 'image', layers: [{ digest: digest('b'), sizeBytes: 20 }] });
    expect(parseManifest(JSON.stringify({ manifests: [{ ...config, platform: { os: 'linux', architecture: 'arm', variant: 'v7', features: [] } }] }))).toEqual({
      kind: 'index',
      manifests: [{ mediaType: config.mediaType, digest: digest('a'), sizeBytes: 10, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } }],
    });
  });
  it('of other kinds are refused', () => {
    const cases: [unknown, RegExp][] = [
      ['{', /not JSON/],
      [{ schemaVersion: 1, fsLayers: [] }, /schema 1/],
      [{ schemaVersion: 2 }, /neither layers nor manifests/],
      [{ config, layers: [{ ...config, digest: 'sha512:00' }] }, /not a SHA-256 digest/],
      [{ config, layers: [{ ...config, size: -1 }] }, /no size/],
      [{ config, layers: [{ ...config, size: 1e300 }] }, /no size/],
      [{ config: { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' }, layers: [] }, /artifact/],
      [{ config, layers: [{ ...config, mediaType: 'application/vnd.oci.image.layer.v1.tar+encrypted' }] }, /unsupported media type/],
      [{ config, layers: Array.from({ length: 200 }, () => config) }, /200 layers/],
    ];
    for (const [document, complaint] of cases) expect(() => parseManifest(typeof document === 'string' ? document : JSON.stringify(document))).toThrow(complaint);
  });
});

describe('endpoints', () => {
  const plan = (domain: string, insecureRegistries: string[] = [], registryMirrors: string[] = [], addresses: string[] = []) =>
    planEndpoints(domain, { insecureRegistries, registryMirrors }, addresses).map(({ url, insecure, mirror }) => `${formatUrl(url)}${insecure ? ' insecure' : ''}${mirror ? ' mirror' : ''}`);
  it('use TLS unless the registry is on this machine or named insecure', () => {
    expect(plan('registry.example')).toEqual(['https://registry.example/']);
    expect(plan('localhost:5000')).toEqual(['https://localhost:5000/ insecure', 'http://localhost:5000/ insecure']);
    expect(plan('127.3.2.1')).toEqual(['https://127.3.2.1/ insecure', 'http://127.3.2.1/ insecure']);
    expect(plan('[::1]:5000')).toEqual(['https://[::1]:5000/ insecure', 'http://[::1]:5000/ insecure']);
    expect(plan('board.local:5000', ['board.local:5000'])).toHaveLength(2);
    expect(plan('board.local:5001', ['board.local:5000'])).toHaveLength(1);
    expect(plan('10.1.2.3:5000', ['10.1.0.0/16'])).toHaveLength(2);
    expect(plan('10.2.2.3:5000', ['10.1.0.0/16'])).toHaveLength(1);
    expect(plan('name:5000', ['10.1.0.0/16'], [], ['10.1.9.9'])).toHaveLength(2);
  });
  it('of the hub begin with its mirrors', () => {
    expect(plan('docker.io', ['mirror.lan'], ['http://mirror.lan/'])).toEqual(['http://mirror.lan/ insecure mirror', 'https://registry-1.docker.io/']);
    expect(plan('other.io', [], ['http://mirror.lan'])).toEqual(['https://other.io/']);
  });
});

describe('errors', () => {
  it('have Docker’s words', () => {
    expect(errorFromAnswer(404, '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}', undefined)).toMatchObject({ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown: manifest unknown', status: 404 });
    expect(errorFromAnswer(401, '<html>', undefined).message).toBe('unauthorized: authentication required');
    expect(errorFromAnswer(502, '', '7')).toMatchObject({ message: 'received unexpected HTTP status: 502 Bad Gateway', retryAfterMs: 7000 });
    expect(errorFromAnswer(429, '{"errors":null}', 'tomorrow')).toMatchObject({ code: 'TOOMANYREQUESTS', retryAfterMs: undefined });
  });
  it('are tried again when that may help', () => {
    expect([500, 503, 429, 408].every((status) => isTransient(errorFromAnswer(status, '', undefined)))).toBe(true);
    expect([400, 401, 403, 404].some((status) => isTransient(errorFromAnswer(status, '', undefined)))).toBe(false);
    expect(isTransient(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))).toBe(true);
    expect(isTransient(new RegistryError('TLS_VERIFY', 'expired'))).toBe(false);
  });
  it('are tried later and later', () => {
    const policy = { limit: 9, baseMs: 1000, maxMs: 5000 };
    expect([1, 2, 3, 4, 5, 6].map((failures) => retryDelayMs(policy, failures, undefined))).toEqual([100, 1000, 2000, 4000, 5000, 5000]);
    expect(retryDelayMs(policy, 1, 7000)).toBe(7000);
  });
});

describe('credentials', () => {
  const header = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  it('come as Docker’s clients send them', () => {
    expect(decodeAuthHeader(header({ username: 'me', password: 'pässword' }))).toMatchObject({ username: 'me', password: 'pässword' });
    expect(decodeAuthHeader(header({ identitytoken: 't' }))).toMatchObject({ username: '', identityToken: 't' });
    expect(decodeAuthHeader(Buffer.from('{}').toString('base64'))).toMatchObject({ username: '' });
    expect(decodeAuthHeader(undefined)).toMatchObject({ username: '' });
    expect(readCredentials({ auth: Buffer.from('me:a:b').toString('base64') })).toMatchObject({ username: 'me', password: 'a:b' });
    expect(() => decodeAuthHeader('!!!')).toThrow(/X-Registry-Auth/);
  });
});
