import { createServer, request as httpRequest } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createCancellation, type Files } from '../../../src/engine/ports/index.ts';
import { NO_CREDENTIALS, openBlob, openRepository, type BlobProgress, type RegistryContext } from '../../../src/engine/registry/index.ts';
import { proxyFor } from '../../../src/engine/registry/proxy.ts';
import { parseUrl } from '../../../src/engine/registry/url.ts';
import { sha256 } from '../support/docker-archive.ts';
import { nodeClock, nodeSockets } from '../support/node-sockets.ts';
import { openRegistry, type TestRegistry } from '../support/registry.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

async function registry(...options: Parameters<typeof openRegistry>): Promise<TestRegistry> {
  const opened = await openRegistry(...options);
  open.push(opened);
  return opened;
}

const sockets = nodeSockets();
const noFiles = { readdir: () => { throw Object.assign(new Error('none'), { code: 'ENOENT' }); } } as unknown as Files;
const retries = { first: { limit: 3, baseMs: 10, maxMs: 20 }, blob: { limit: 4, baseMs: 10, maxMs: 20 } };

function context(settings: Partial<RegistryContext['settings']> = {}): RegistryContext {
  return {
    system: { sockets, clock: nodeClock, files: noFiles },
    settings: { insecureRegistries: [], registryMirrors: [], proxies: { http: '', https: '', exceptions: '' }, ...settings },
    userAgent: 'test', timeouts: { connectMs: 2000, stallMs: 300 }, retries,
  };
}

/** A repository on loopback: its first endpoint, TLS, is not there. */
async function at(address: string, settings: Partial<RegistryContext['settings']> = {}, cancellation = createCancellation()) {
  const repository = await openRepository(context(settings), { domain: address, path: 'team/app' }, NO_CREDENTIALS, cancellation);
  open.push({ close: async () => repository.close() });
  return repository;
}

async function readAll(source: { read(): Promise<Uint8Array | null> }): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let part = await source.read(); part !== null; part = await source.read()) parts.push(part);
  return Buffer.concat(parts);
}

const quiet: BlobProgress = { received: () => undefined, retrying: () => undefined };
const data = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * index) >> 3));

describe('a blob', () => {
  const blobOf = async (server: TestRegistry, cancellation = createCancellation(), progress = quiet) => {
    const { digest, size } = server.putBlob(data);
    server.putManifest('team/app', '1', { schemaVersion: 2, config: { digest, size }, layers: [] });
    const repository = await at(server.address, {}, cancellation);
    await repository.manifest('1');
    return openBlob(repository, { digest, sizeBytes: size, mediaType: '' }, { clock: nodeClock, cancellation, progress, retries: retries.blob });
  };

  it('is read on from where its connection stalled', async () => {
    const server = await registry();
    let stalls = 2;
    server.fault = ({ url }) => (url.includes('/blobs/') && stalls-- > 0 ? { stallAfterBytes: 100_000 } : undefined);
    const pauses: number[] = [];
    const whole = await readAll(await blobOf(server, undefined, { received: () => undefined, retrying: (delayMs) => void pauses.push(delayMs) }));
    expect(sha256(whole)).toBe(sha256(data));
    expect(server.blobRequests().map(({ range }) => range)).toEqual([undefined, 'bytes=100000-', 'bytes=200000-']);
    expect(pauses).toEqual([1, 1]);
  });

  it('is whole wherever it is cut', async () => {
    for (const cutAfterBytes of [65_536, 65_537, 131_071, 299_999]) {
      const server = await registry();
      server.fault = ({ url }) => (url.includes('/blobs/') ? { cutAfterBytes, ignoreRange: false } : undefined);
      expect(sha256(await readAll(await blobOf(server)))).toBe(sha256(data));
    }
  });

  it('is given up when nothing comes any more', async () => {
    const server = await registry();
    server.fault = ({ url, range }) => (url.includes('/blobs/') ? (range === undefined ? { cutAfterBytes: 100_000 } : { status: 502 }) : undefined);
    await expect(readAll(await blobOf(server))).rejects.toThrow(/unknown: as the test wants it/);
    expect(server.blobRequests()).toHaveLength(4);
  });

  it('is not waited for by those who have gone', async () => {
    const server = await registry();
    server.fault = ({ url }) => (url.includes('/blobs/') ? { stallAfterBytes: 1000 } : undefined);
    const cancellation = createCancellation();
    const reading = readAll(await blobOf(server, cancellation));
    setTimeout(() => cancellation.cancel(), 50);
    await expect(reading).rejects.toThrow('context canceled');
    expect(server.blobRequests()).toHaveLength(1);
  });
});

describe('a repository', () => {
  it('asks the registry for what the mirror lacks', async () => {
    const mirror = await registry();
    const settings = { registryMirrors: [`http://${mirror.address}`] };
    const hub = await at('docker.io', settings);
    const { digest, size } = { digest: `sha256:${sha256(data)}`, size: data.length };
    mirror.putManifest('team/app', '1', { schemaVersion: 2, config: { digest, size }, layers: [] });
    expect((await hub.manifest('1')).document.kind).toBe('image');
    expect(mirror.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
    // The mirror has no such blob, and the hub cannot be reached from here.
    await expect(hub.blob(digest, 0)).rejects.toThrow(/registry-1\.docker\.io/);
    await expect((await at('docker.io', settings)).manifest('2')).rejects.toThrow(/registry-1\.docker\.io/);
  });

  it('lists its tags, page by page', async () => {
    const server = await registry();
    for (const tag of ['a', 'b', 'c']) server.putManifest('team/app', tag, { tag });
    expect(await (await at(server.address)).tags()).toEqual(['a', 'b', 'c']);
    expect(server.requests.filter(({ url }) => url.includes('/tags/'))).toHaveLength(3);
  });

  it('tries a busy registry again, and takes no for an answer', async () => {
    const server = await registry();
    server.putManifest('team/app', '1', { schemaVersion: 2, manifests: [] });
    let busy = 2;
    server.fault = () => (busy-- > 0 ? { status: 503 } : undefined);
    const repository = await at(server.address);
    expect((await repository.manifest('1')).document.kind).toBe('index');
    await expect(repository.manifest('2')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN', status: 404 });
  });
});

describe('a proxy', () => {
  it('is chosen by the address', () => {
    const settings = { http: 'http://me:se%40cret@proxy.lan:3128', https: 'proxy.lan:8080', exceptions: 'inside.lan, .only-below.lan,10.1.0.0/16, port.lan:5000' };
    const by = (address: string) => {
      const url = parseUrl(address);
      return url === undefined ? 'no address' : proxyFor(url, settings);
    };
    expect(by('http://a.example/')).toEqual({ host: 'proxy.lan', port: 3128, authorization: `Basic ${Buffer.from('me:se@cret').toString('base64')}` });
    expect(by('https://a.example/')).toEqual({ host: 'proxy.lan', port: 8080, authorization: '' });
    for (const direct of ['http://localhost:5000', 'https://127.0.0.1', 'http://inside.lan', 'https://deep.inside.lan', 'https://a.only-below.lan', 'http://10.1.2.3', 'https://port.lan:5000']) expect([direct, by(direct)]).toEqual([direct, undefined]);
    for (const through of ['http://notinside.lan', 'https://only-below.lan', 'http://10.2.2.3', 'https://port.lan']) expect(by(through)).toMatchObject({ host: 'proxy.lan' });
    expect(() => proxyFor({ secure: true, host: 'a', port: 443, target: '/' }, { ...settings, https: 'https://me:secret@proxy' })).toThrow(/^the proxy "https:\/\/proxy" is no http/);
  });

  it('carries plain requests and tunnels', async () => {
    const server = await registry();
    server.putManifest('team/app', '1', { schemaVersion: 2, manifests: [] });
    const [host = '', port = ''] = server.address.split(':');
    const seen: string[] = [];
    const connections = new Set<Socket>();
    const proxy = createServer((incoming, answer) => {
      seen.push(`${incoming.method ?? ''} ${incoming.url ?? ''} ${incoming.headers['proxy-authorization'] ?? ''}`);
      const target = new URL(incoming.url ?? '');
      httpRequest({ host, port, path: target.pathname, headers: incoming.headers }, (reply) => {
        answer.writeHead(reply.statusCode ?? 0, reply.headers);
        reply.pipe(answer);
      }).end();
    });
    proxy.on('connection', (socket) => connections.add(socket));
    proxy.on('connect', (incoming, socket) => {
      seen.push(`CONNECT ${incoming.url ?? ''} ${incoming.headers['proxy-authorization'] ?? ''}`);
      if (incoming.url?.startsWith('refused') === true) {
        socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
        return;
      }
      const onward = connect(Number(port), host, () => socket.write('HTTP/1.1 200 Connection established\r\n\r\n'));
      onward.pipe(socket).pipe(onward);
      socket.on('error', () => onward.destroy());
      onward.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    open.push({ close: () => new Promise((resolve) => {
      proxy.close(() => resolve());
      for (const socket of connections) socket.destroy();
    }) });
    const address = `http://me:pw@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const proxies = { http: address, https: address, exceptions: '' };
    const login = `Basic ${Buffer.from('me:pw').toString('base64')}`;

    expect((await (await at('registry.example', { proxies })).manifest('1')).document.kind).toBe('index');
    expect(seen).toEqual([`CONNECT registry.example:443 ${login}`]);
    expect(sockets.secured).toContain('registry.example');
    expect(server.requests.at(-1)).toMatchObject({ host: 'registry.example' });

    seen.length = 0;
    await expect((await at('refused.example', { proxies })).manifest('1')).rejects.toThrow(/does not connect to refused\.example:443: 403 Forbidden/);
    const plain = await at('docker.io', { proxies, registryMirrors: ['http://mirror.example'] });
    expect((await plain.manifest('1')).document.kind).toBe('index');
    expect(seen.at(-1)).toBe(`GET http://mirror.example/v2/team/app/manifests/1 ${login}`);
  });
});
