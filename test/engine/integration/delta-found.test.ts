import { createHash } from 'node:crypto';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { oldStyleArchive } from '../support/docker-archive.ts';
import { waitFor, type Outcome } from '../support/lab.ts';
import { serveRegistry } from '../support/lab-registry.ts';
import type { TestRegistry } from '../support/registry.ts';
import { tarFile, tarFolder, tarOf } from '../support/tar-writer.ts';

/** Content that does not compress, the same each time. */
const noise = (sizeBytes: number, seed: string): Buffer => createHash('shake256', { outputLength: sizeBytes }).update(seed).digest();
const ARTIFACT = 'application/vnd.minke.delta.v1';

describeLab('a delta to an image', (lab) => {
  let modern: TestRegistry;
  let old: TestRegistry;
  const binary = process.env['OSBUILD_ENGINE_BINARY'] ?? '';
  const below = tarOf([tarFolder('lib'), tarFile('lib/shared', noise(400_000, 'shared'))]);
  const version = (number: number): Buffer => tarOf([tarFolder('app', { mtime: number }), tarFile('app/program', Buffer.concat([noise(500_000, 'program'), Buffer.from(`version ${number}`)]))]);
  const repositories = ['localhost:5000/app', 'localhost:5001/app'];
  const ids: string[] = [];

  /** Our own client: Docker's knows nothing of --delta. */
  const minke = async (socket: string, ...args: string[]): Promise<Outcome> => {
    const child = lab.spawn([binary, '-H', `unix://${socket}`, ...args]);
    let [stdout, stderr] = ['', ''];
    child.stdout?.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr?.on('data', (data: Buffer) => (stderr += data.toString()));
    const code = await new Promise<number>((done) => child.once('close', (status) => done(status ?? -1)));
    return { code, stdout, stderr };
  };
  const good = async (socket: string, ...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await minke(socket, ...args);
    expect([args, code, stderr]).toEqual([args, 0, '']);
    return stdout;
  };
  const own = (...args: string[]): Promise<string> => good(lab.socket, ...args);
  const removeAll = async (): Promise<void> => void (await own('image', 'prune', '-af'));
  const load = (name: string, number: number): void => {
    expect(lab.run(['docker', 'load'], oldStyleArchive(name, [{ tar: below }, { tar: version(number) }])).stderr).toBe('');
  };
  const id = (name: string): string => lab.ok('inspect', '-f', '{{.Id}}', name);
  const blobBytes = (registry: TestRegistry, name: string): number => {
    const manifest = JSON.parse(registry.manifestOf('app', name)?.data.toString() ?? '') as { layers: { size: number }[] };
    return manifest.layers.reduce((sum, { size }) => sum + size, 0);
  };
  /** What the registry was asked for while `action` ran, without addresses' hosts. */
  const asked = async (registry: TestRegistry, action: () => Promise<unknown>): Promise<string[]> => {
    const before = registry.requests.length;
    await action();
    return registry.requests.slice(before).map(({ method, url }) => `${method} ${url}`);
  };

  beforeAll(async () => {
    modern = await serveRegistry(lab, 5000, { referrers: true });
    old = await serveRegistry(lab, 5001);
    for (const repository of repositories) {
      for (const number of [1, 2, 3]) {
        load(`${repository}:${number}`, number);
        ids[number] ??= id(`${repository}:${number}`);
        await own('push', `${repository}:${number}`);
      }
      // Under names by which nobody would look for them.
      for (const from of [1, 2]) {
        await own('image', 'delta', `${repository}:${from}`, `${repository}:3`, '-t', `${repository}:update-from-${from}`);
        await own('push', `${repository}:update-from-${from}`);
      }
    }
    await removeAll();
  });
  afterEach(removeAll);
  afterAll(async () => {
    await modern?.close();
    await old?.close();
  });

  it('refers to its target, and says from which image it leads', () => {
    for (const registry of [modern, old]) {
      const manifest = JSON.parse(registry.manifestOf('app', 'update-from-1')?.data.toString() ?? '') as { artifactType: string; subject: { digest: string; size: number; mediaType: string }; annotations: Record<string, string> };
      const target = registry.manifestOf('app', '3');
      expect(manifest.artifactType).toBe(ARTIFACT);
      expect(manifest.subject).toEqual({ mediaType: target?.mediaType, digest: `sha256:${createHash('sha256').update(target?.data ?? '').digest('hex')}`, size: target?.data.length });
      expect(manifest.annotations).toEqual({ 'dev.minke.delta.base': ids[1], 'dev.minke.delta.target': ids[3] });
    }
  });

  it('is found among the referrers with one request, whatever the base is called', async () => {
    await own('pull', '--delta=never', 'localhost:5000/app:1');
    await own('tag', 'localhost:5000/app:1', 'other:name');
    await own('rmi', 'localhost:5000/app:1');
    const requests = await asked(modern, async () => expect(await own('pull', '--delta=require', 'localhost:5000/app:3')).toContain('Pulling a delta'));
    expect(requests.filter((request) => request.includes('/referrers/'))).toEqual([`GET /v2/app/referrers/${JSON.parse(modern.manifestOf('app', 'update-from-1')?.data.toString() ?? '').subject.digest}?artifactType=${encodeURIComponent(ARTIFACT)}`]);
    // The target, its configuration, the list, the delta, its configuration and its layer; the login's question besides.
    expect(requests.filter((request) => request !== 'GET /v2/')).toHaveLength(6);
    expect(id('localhost:5000/app:3')).toBe(ids[3]);
    expect(readdirSync(join(lab.dataRoot, 'layers'))).toHaveLength(3);
  });

  it('is found by the tag that registries without referrers have', async () => {
    const index = [...new Set(old.requests.filter(({ method, url }) => method === 'PUT' && url.includes('/manifests/sha256-')).map(({ url }) => url.split('/').at(-1) ?? ''))];
    expect(index).toHaveLength(1);
    const entries = (JSON.parse(old.manifestOf('app', index[0] ?? '')?.data.toString() ?? '') as { manifests: { annotations: Record<string, string>; artifactType: string }[] }).manifests;
    expect(entries.map(({ artifactType, annotations }) => [artifactType, annotations['dev.minke.delta.base']])).toEqual([[ARTIFACT, ids[1]], [ARTIFACT, ids[2]]]);
    expect(modern.requests.filter(({ url }) => url.includes('/manifests/sha256-'))).toEqual([]);
    await own('pull', '--delta=never', 'localhost:5001/app:2');
    expect(await own('pull', '--delta=require', 'localhost:5001/app:3')).toContain('Pulling a delta');
    expect(id('localhost:5001/app:3')).toBe(ids[3]);
  });

  it('is listed once, however often it is pushed, and a list that other clients wrote is kept', async () => {
    await own('pull', 'localhost:5001/app:1');
    await own('pull', '--delta=never', 'localhost:5001/app:3');
    await own('image', 'delta', 'localhost:5001/app:1', 'localhost:5001/app:3', '-t', 'localhost:5001/app:update-from-1');
    const list = old.requests.find(({ method, url }) => method === 'PUT' && url.includes('/manifests/sha256-'))?.url.split('/').at(-1) ?? '';
    const document = JSON.parse(old.manifestOf('app', list)?.data.toString() ?? '') as { manifests: object[] };
    document.manifests.unshift({ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: `sha256:${'1'.repeat(64)}`, size: 5, artifactType: 'application/spdx+json', odd: ['kept'] });
    old.putManifest('app', list, document);
    await own('push', 'localhost:5001/app:update-from-1');
    const after = (JSON.parse(old.manifestOf('app', list)?.data.toString() ?? '') as { manifests: object[] }).manifests;
    expect(after).toEqual(document.manifests);
  });

  it('is done without when the registry’s list cannot be had or read, and when it promises what is not so', async () => {
    await own('pull', '--delta=never', 'localhost:5000/app:1');
    modern.fault = ({ url }) => (url.includes('/referrers/') ? { status: 500 } : undefined);
    expect(await own('pull', 'localhost:5000/app:3')).not.toContain('delta');
    modern.fault = () => undefined;
    // A referrer of version 2 that is a plain image, and one whose bytes are not those of its digest.
    const { data, mediaType } = modern.manifestOf('app', '2') ?? { data: Buffer.from('{}'), mediaType: '' };
    const image = JSON.parse(modern.manifestOf('app', '3')?.data.toString() ?? '') as object;
    const subject = { mediaType, size: data.length, digest: `sha256:${createHash('sha256').update(data).digest('hex')}` };
    const referrer = { ...image, mediaType: 'application/vnd.oci.image.manifest.v1+json', artifactType: ARTIFACT, subject, annotations: { 'dev.minke.delta.base': ids[3], 'dev.minke.delta.target': ids[2] } };
    const digests = [modern.putManifest('app', 'wrong', referrer), `sha256:${'2'.repeat(64)}`];
    modern.putManifest('app', digests[1], referrer);
    const requests = await asked(modern, async () => expect(await own('pull', 'localhost:5000/app:2')).not.toContain('delta'));
    for (const digest of digests) expect(requests).toContain(`GET /v2/app/manifests/${digest}`);
    expect(id('localhost:5000/app:2')).toBe(ids[2]);
  });

  it('takes its base from another engine’s root, and changes nothing there', async () => {
    const socket = join(lab.folder, 'second.sock');
    const second = join(lab.folder, 'second');
    const start = async (): Promise<ReturnType<typeof lab.spawn>> => {
      const child = lab.spawn([binary, 'daemon', '-H', `unix://${socket}`, '--data-root', second, '--delta-data-root', lab.dataRoot, '--exec-root', `${lab.folder}/second-run`, '--pidfile', '', '--bridge', 'none']);
      await waitFor(async () => (await minke(socket, 'version')).code === 0, 30_000);
      return child;
    };
    const state = (): string => lab.run(['sh', '-c', `cd ${lab.dataRoot}; find layers images ! -name damaged -printf '%p %s %T@ %C@ %m\\n' | sort | sha256sum`]).stdout;
    await own('pull', '--delta=never', 'localhost:5000/app:2');
    const before = state();
    const daemon = await start();
    try {
      const requests = await asked(modern, async () => expect(await good(socket, 'pull', '--delta=require', 'localhost:5000/app:3')).toContain('Pulling a delta'));
      // Two configurations and the delta: the layer that both versions have was copied from there.
      expect(requests.filter((request) => request.includes('/blobs/'))).toHaveLength(3);
      expect(readdirSync(join(second, 'layers'))).toHaveLength(2);
      expect(await good(socket, 'system', 'check')).toContain('Nothing is wrong');
      expect(state()).toBe(before);
      expect(blobBytes(modern, 'update-from-2')).toBeLessThan(blobBytes(modern, '3') / 50);

      // A layer of the base that is damaged there: the pull is done without the delta.
      await good(socket, 'image', 'prune', '-af');
      const shared = readdirSync(join(lab.dataRoot, 'layers')).map((name) => join(lab.dataRoot, 'layers', name, 'diff/lib/shared')).find((path) => lab.run(['test', '-e', path]).code === 0) ?? '';
      writeFileSync(shared, noise(400_000, 'something else'));
      const text = await good(socket, 'pull', 'localhost:5000/app:3');
      expect(text).toContain('The delta cannot be used');
      expect(await good(socket, 'system', 'check')).toContain('Nothing is wrong');
      writeFileSync(shared, noise(400_000, 'shared'));
    } finally {
      const ended = new Promise((done) => daemon.once('exit', done));
      daemon.kill('SIGTERM');
      await ended;
      rmSync(second, { recursive: true, force: true });
    }
  }, 120_000);
}, { image: false });
