import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { oldStyleArchive, sha256 } from '../support/docker-archive.ts';
import { IMAGE, waitFor, type Lab, type Outcome } from '../support/lab.ts';
import { serveRegistry } from '../support/lab-registry.ts';
import { basic, type TestRegistry } from '../support/registry.ts';
import { rootfsTar } from '../support/rootfs-tar.ts';
import { tarFile, tarOf } from '../support/tar-writer.ts';

/** Content that does not compress, the same each time. */
function noise(sizeBytes: number, seed: string): Buffer {
  return createHash('shake256', { outputLength: sizeBytes }).update(seed).digest();
}

interface Manifest {
  mediaType: string;
  config: { mediaType: string; digest: string; size: number };
  layers: { mediaType: string; digest: string; size: number }[];
}

describeLab('docker push', (lab) => {
  let main: TestRegistry;
  const registries: TestRegistry[] = [];
  const base = rootfsTar();
  const big = (seed: string): Buffer => tarOf([tarFile(`big-${seed}`, noise(3_000_000, seed))]);
  const serve = async (...args: Parameters<typeof serveRegistry> extends [Lab, ...infer Rest] ? Rest : never): Promise<TestRegistry> => {
    const registry = await serveRegistry(lab, ...args);
    registries.push(registry);
    return registry;
  };
  /** Never synchronously: the registry answers from this process. */
  const push = (...args: string[]): Promise<Outcome> => lab.dockerAsync('push', ...args);
  const load = (name: string, ...layers: Buffer[]): void => {
    expect(lab.run(['docker', 'load'], oldStyleArchive(name, layers.map((tar) => ({ tar })))).stderr).toBe('');
  };
  const id = (name: string): string => lab.ok('inspect', '-f', '{{.Id}}', name);
  const manifest = (registry: TestRegistry, repository: string, tag: string): Manifest => JSON.parse(registry.manifestOf(repository, tag)?.data.toString() ?? 'null') as Manifest;
  const uploads = (): string[] => main.requests.filter(({ method }) => method === 'PATCH' || method === 'PUT').map(({ method, url }) => `${method} ${url.replace(/uploads\/.*/, 'uploads')}`);
  /** Gone from here, then brought back: it runs, and is the same image. */
  const pullsBack = async (name: string): Promise<void> => {
    const before = id(name);
    lab.ok('rmi', '-f', before);
    expect((await lab.dockerAsync('pull', name)).code).toBe(0);
    expect(id(name)).toBe(before);
  };

  beforeAll(async () => {
    main = await serve(5000);
  });
  afterEach(() => {
    main.fault = () => undefined;
    main.requests.length = 0;
  });
  afterAll(async () => {
    for (const registry of registries) await registry.close();
  });

  it('uploads layers compressed, the configuration and a manifest in Docker’s format', async () => {
    const name = 'localhost:5000/team/app:1';
    load(name, base, big('first'));
    const pushed = await push(name);
    expect(pushed).toMatchObject({ code: 0, stderr: '' });
    const { data = Buffer.alloc(0), mediaType } = main.manifestOf('team/app', '1') ?? {};
    const digest = `sha256:${sha256(data)}`;
    const short = (tar: Buffer): string => sha256(tar).slice(0, 12);
    const lines = pushed.stdout.trim().split('\n');
    expect(lines.slice(0, 3)).toEqual(['The push refers to repository [localhost:5000/team/app]', `${short(big('first'))}: Preparing`, `${short(base)}: Preparing`]);
    expect(lines.slice(3, -1).toSorted()).toEqual([`${short(base)}: Pushed`, `${short(big('first'))}: Pushed`].toSorted());
    expect(lines.at(-1)).toBe(`1: digest: ${digest} size: ${data.length}`);
    expect(mediaType).toBe('application/vnd.docker.distribution.manifest.v2+json');
    const { config, layers } = manifest(main, 'team/app', '1');
    expect(config).toEqual({ mediaType: 'application/vnd.docker.container.image.v1+json', size: expect.any(Number) as number, digest: id(name) });
    expect(layers.map((layer) => layer.mediaType)).toEqual(Array(2).fill('application/vnd.docker.image.rootfs.diff.tar.gzip'));
    expect(layers.map((layer) => gunzipSync(main.blobOf('team/app', layer.digest) ?? Buffer.alloc(0)).equals(layer === layers[0] ? base : big('first')))).toEqual([true, true]);
    expect(lab.ok('inspect', '-f', '{{json .RepoDigests}}', name)).toBe(JSON.stringify([`localhost:5000/team/app@${digest}`]));
    await pullsBack(name);

    // The same once more costs three questions and a manifest.
    main.requests.length = 0;
    const again = await push(name);
    expect(again.stdout.match(/Layer already exists/g)).toHaveLength(2);
    expect(again.stdout).toContain(`1: digest: ${digest} size: ${data.length}`);
    expect(uploads()).toEqual(['PUT /v2/team/app/manifests/1']);
  });

  it('makes the same blobs each time, also from what it has pulled', async () => {
    const before = manifest(main, 'team/app', '1');
    for (const { digest } of before.layers) main.forget('team/app', digest);
    const again = await push('localhost:5000/team/app:1');
    expect(again.stdout.match(/Pushed/g)).toHaveLength(2);
    expect(manifest(main, 'team/app', '1')).toEqual(before);
  });

  it('takes layers over from other repositories of the registry, and uploads those that are not there', async () => {
    lab.ok('tag', 'localhost:5000/team/app:1', 'localhost:5000/other/app:1');
    const mounted = await push('localhost:5000/other/app:1');
    expect(mounted.stdout.match(/Mounted from team\/app/g)).toHaveLength(2);
    expect(uploads()).toEqual([expect.stringMatching(/^PUT .*uploads/) as string, 'PUT /v2/other/app/manifests/1']);
    expect(manifest(main, 'other/app', '1')).toEqual(manifest(main, 'team/app', '1'));

    main.forget('team/app', manifest(main, 'team/app', '1').layers[1]?.digest ?? '');
    main.forget('other/app', manifest(main, 'team/app', '1').layers[1]?.digest ?? '');
    lab.ok('tag', 'localhost:5000/team/app:1', 'localhost:5000/third/app:1');
    const partly = await push('localhost:5000/third/app:1');
    expect([partly.stdout.match(/Mounted from/g)?.length, partly.stdout.match(/Pushed/g)?.length]).toEqual([1, 1]);
  });

  it('pushes an image in the format that it came in', async () => {
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
    const layer = big('oci');
    const put = main.putImage('in/oci', '1', [{ tar: base, blob: gzipSync(base), mediaType }, { tar: layer, blob: gzipSync(layer), mediaType }]);
    expect((await lab.dockerAsync('pull', 'localhost:5000/in/oci:1')).code).toBe(0);
    lab.ok('tag', 'localhost:5000/in/oci:1', 'localhost:5000/out/oci:2');
    expect((await push('localhost:5000/out/oci:2')).code).toBe(0);
    const pushed = manifest(main, 'out/oci', '2');
    expect([pushed.mediaType, pushed.config.mediaType, pushed.layers.map((each) => each.mediaType)]).toEqual(['application/vnd.oci.image.manifest.v1+json', 'application/vnd.oci.image.config.v1+json', [mediaType, mediaType]]);
    expect(pushed.layers[1]?.digest).toBe(put.layerDigests[1]);
    await pullsBack('localhost:5000/out/oci:2');
    expect((await push('localhost:5000/out/oci:2')).stdout).toContain('Layer already exists');
  });

  it('pushes all tags, and says so of what is not here', async () => {
    for (const tag of ['a', 'b']) lab.ok('tag', IMAGE, `localhost:5000/tags:${tag}`);
    expect((await push('-a', 'localhost:5000/tags')).stdout).toMatch(/a: digest: .*\n(?:.*\n)*b: digest: /);
    expect([main.manifestOf('tags', 'a'), main.manifestOf('tags', 'b')]).not.toContain(undefined);
    expect(await push('localhost:5000/tags:c')).toMatchObject({ code: 1, stderr: 'tag does not exist: localhost:5000/tags:c\n' });
    expect(await push('localhost:5000/nosuch')).toMatchObject({ code: 1, stderr: 'An image does not exist locally with the tag: localhost:5000/nosuch\n' });
    expect((await push('localhost:5001/nobody/there:1')).code).toBe(1);
    lab.ok('tag', IMAGE, 'localhost:5001/closed:1');
    expect((await push('localhost:5001/closed:1')).stderr).toContain('connection refused');
  });

  it('logs in with tokens for what is written and what is read, and with passwords', async () => {
    const auth = { kind: 'token', user: 'me', password: 'secret', anonymousPull: true } as const;
    const tokens = await serve(5002, { auth });
    load('localhost:5002/mine/app:1', base, big('token'));
    const refused = await push('localhost:5002/mine/app:1');
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/denied|unauthorized/) as string]);
    writeFileSync(`${lab.folder}/config.json`, JSON.stringify({ auths: Object.fromEntries(['localhost:5002', 'localhost:5003', 'localhost:5004'].map((host) => [host, { auth: basic('me', 'secret').slice(6) }])) }));
    expect((await push('localhost:5002/mine/app:1')).code).toBe(0);
    lab.ok('tag', 'localhost:5002/mine/app:1', 'localhost:5002/mine/copy:1');
    expect((await push('localhost:5002/mine/copy:1')).stdout).toContain('Mounted from mine/app');
    expect(tokens.requests.some(({ url }) => url.startsWith('/token') && decodeURIComponent(url).includes('scope=repository:mine/copy:pull,push&scope=repository:mine/app:pull'))).toBe(true);

    await serve(5003, { auth: { ...auth, readOnly: true } });
    lab.ok('tag', 'localhost:5002/mine/app:1', 'localhost:5003/mine/app:1');
    expect((await push('localhost:5003/mine/app:1')).stderr).toContain('denied: requested access to the resource is denied');
    await serve(5004, { auth: { kind: 'basic', user: 'me', password: 'secret' } });
    lab.ok('tag', 'localhost:5002/mine/app:1', 'localhost:5004/mine/app:1');
    expect((await push('localhost:5004/mine/app:1')).code).toBe(0);
    const own = lab.spawn([process.env['OSBUILD_ENGINE_BINARY'] ?? '', '-H', `unix://${lab.socket}`, 'push', 'localhost:5004/mine/app:1']);
    let said = '';
    own.stdout?.on('data', (data: Buffer) => (said += data.toString()));
    expect(await new Promise((resolve) => own.once('close', resolve))).toBe(0);
    expect(said).toContain('Layer already exists');
  });

  it('goes on where the registry broke off, and does not send again what that has', async () => {
    load('localhost:5000/half:1', base, big('half'));
    let cuts = 0;
    main.fault = ({ method }) => (method === 'PATCH' && cuts++ < 2 ? { cutUploadAfterBytes: 700_000 } : undefined);
    const before = main.receivedBytes();
    const pushed = await push('localhost:5000/half:1');
    expect([pushed.code, pushed.stderr]).toEqual([0, '']);
    const { layers } = manifest(main, 'half', '1');
    const sizeBytes = layers.reduce((sum, { size }) => sum + size, 0);
    expect(main.receivedBytes() - before).toBeLessThan(sizeBytes + 20_000);
    expect(cuts).toBeGreaterThan(2);
    await pullsBack('localhost:5000/half:1');
  });

  it('begins anew when the registry has lost the upload or breaks down', async () => {
    load('localhost:5000/lost:1', base, big('lost'));
    const failures = [{ cutUploadAfterBytes: 500_000 }, { status: 503 }, { status: 500, early: true }];
    let lost = false;
    main.fault = ({ method, url }) => {
      if (method === 'PATCH') return failures.shift();
      if (method === 'GET' && url.includes('/uploads/') && !lost) {
        lost = true;
        return { loseUpload: true };
      }
      if (method === 'PUT' && url.includes('/manifests/') && failures.length === 0) {
        failures.push({ status: 404 });
        return { status: 503 };
      }
      return undefined;
    };
    const pushed = await push('localhost:5000/lost:1');
    expect([pushed.code, pushed.stderr]).toEqual([0, '']);
    expect(lost).toBe(true);
    await pullsBack('localhost:5000/lost:1');
  });

  it('gives up with the registry’s own words', async () => {
    load('localhost:5000/refused:1', base, big('refused'));
    main.fault = ({ method }) => (method === 'PATCH' ? { status: 403, early: true } : undefined);
    expect((await push('localhost:5000/refused:1')).stderr).toContain('unknown: as the test wants it');
    main.fault = ({ url }) => (url.includes('/manifests/') ? { status: 400 } : undefined);
    const unfinished = await push('localhost:5000/refused:1');
    expect([unfinished.code, main.manifestOf('refused', '1')]).toEqual([1, undefined]);
  });

  it('ends when the client goes away or the daemon is killed; the next push needs only the rest', async () => {
    load('localhost:5000/killed:1', base, big('one'), big('two'), big('three'));
    const blocked = sha256(big('three')).slice(0, 12);
    // Slow enough at the end that the kill below comes before it on any machine.
    main.fault = ({ method, url }) => (method === 'PATCH' ? { delayMs: 60 } : url.includes('/manifests/') && method === 'PUT' ? { answerDelayMs: 5000 } : undefined);
    const client = lab.spawn(['docker', 'push', 'localhost:5000/killed:1']);
    let said = '';
    client.stdout?.on('data', (data: Buffer) => (said += data.toString()));
    await waitFor(() => main.requests.some(({ method }) => method === 'PATCH') && said.includes(`${blocked}: Preparing`), 30_000);
    client.kill('SIGKILL');
    await waitFor(() => lab.daemonLog().includes('context canceled'), 30_000);

    const second = lab.dockerAsync('push', 'localhost:5000/killed:1');
    let puts = 0;
    await waitFor(() => {
      puts = main.requests.filter(({ method, url }) => method === 'PUT' && url.includes('/uploads/')).length;
      return puts > 0;
    }, 30_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await lab.signalDaemon('SIGKILL');
    expect((await second).code).not.toBe(0);
    main.fault = () => undefined;
    await lab.startDaemon();
    const last = await push('localhost:5000/killed:1');
    expect(last.code).toBe(0);
    expect(last.stdout.match(/Layer already exists|Pushed|Mounted/g)).toHaveLength(4);
    expect(last.stdout).toContain('Layer already exists');
    await pullsBack('localhost:5000/killed:1');
    await waitFor(() => readdirSync(`${lab.dataRoot}/tmp`).length === 0);
  });
});
