import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { imageConfig, sha256 } from '../support/docker-archive.ts';
import { waitFor, type Outcome } from '../support/lab.ts';
import { serveRegistry } from '../support/lab-registry.ts';
import type { openRegistry, TestRegistry } from '../support/registry.ts';
import { rootfsTar } from '../support/rootfs-tar.ts';
import { tarFile, tarOf } from '../support/tar-writer.ts';

/** Content that does not compress, the same each time. */
function noise(sizeBytes: number, seed: string): Buffer {
  return createHash('shake256', { outputLength: sizeBytes }).update(seed).digest();
}

describeLab('docker pull', (lab) => {
  const registries: TestRegistry[] = [];
  const base = rootfsTar();
  const big = (seed: string): Buffer => tarOf([tarFile(`big-${seed}`, noise(3_000_000, seed))]);

  /** On 127.0.0.1:port inside the lab. */
  const serve = async (port: number, options: Parameters<typeof openRegistry>[0] = {}): Promise<TestRegistry> => {
    const registry = await serveRegistry(lab, port, options);
    registries.push(registry);
    return registry;
  };
  /** Never synchronously: the registry answers from this process. */
  const pull = (...args: string[]): Promise<Outcome> => lab.dockerAsync('pull', ...args);
  const minke = (...args: string[]): Promise<Outcome> =>
    new Promise((resolve) => {
      const child = lab.spawn([process.env['OSBUILD_ENGINE_BINARY'] ?? '', ...args]);
      let [stdout, stderr] = ['', ''];
      child.stdout?.on('data', (data: Buffer) => (stdout += data.toString()));
      child.stderr?.on('data', (data: Buffer) => (stderr += data.toString()));
      child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
    });
  const id = (name: string): string => lab.ok('inspect', '-f', '{{.Id}}', name);
  const stored = (): number => readdirSync(`${lab.dataRoot}/layers`).length;
  const fileHash = (image: string, path: string): string => lab.ok('run', '--rm', image, 'sha256sum', path).split(' ')[0] ?? '';

  let main: TestRegistry;
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

  it('brings images in Docker’s and OCI’s formats, compressed or not', async () => {
    const oci = main.putImage('team/oci', '1', [{ tar: base, blob: gzipSync(base), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }]);
    const first = await pull('localhost:5000/team/oci:1');
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toBe(
      `1: Pulling from team/oci\n${oci.layerDigests[0]?.slice(7, 19) ?? ''}: Pulling fs layer\n${oci.layerDigests[0]?.slice(7, 19) ?? ''}: Download complete\n${oci.layerDigests[0]?.slice(7, 19) ?? ''}: Pull complete\n` +
        `Digest: ${oci.digest}\nStatus: Downloaded newer image for localhost:5000/team/oci:1\nlocalhost:5000/team/oci:1\n`,
    );
    expect(id('localhost:5000/team/oci:1')).toBe(`sha256:${sha256(imageConfig([base]))}`);
    expect(lab.ok('run', '--rm', 'localhost:5000/team/oci:1', 'cat', '/data/seed')).toBe('seeded');

    // The same layer in another image and format is not fetched again.
    main.requests.length = 0;
    const docker = main.putImage('team/docker', 'latest', [{ tar: base, blob: gzipSync(base) }, { tar: big('plain') }], { docker: true });
    const second = await pull('localhost:5000/team/docker');
    expect(second.stdout).toContain(`${docker.layerDigests[0]?.slice(7, 19) ?? ''}: Already exists\n`);
    expect(main.blobRequests().map(({ url }) => url.split('/').at(-1))).toEqual([docker.configDigest, docker.layerDigests[1]]);
    expect(fileHash('localhost:5000/team/docker', '/big-plain')).toBe(sha256(noise(3_000_000, 'plain')));

    const again = await pull('localhost:5000/team/docker');
    expect(again.stdout).toContain('Status: Image is up to date for localhost:5000/team/docker:latest');
  });

  it.skipIf(spawnSync('zstd', ['--version']).status !== 0)('brings layers that zstd has compressed', async () => {
    const tar = big('zstd');
    const blob = spawnSync('zstd', ['-q', '-c'], { input: tar, maxBuffer: 1e8 }).stdout;
    main.putImage('zstd', '1', [{ tar: base }, { tar, blob, mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' }]);
    expect((await pull('127.0.0.1:5000/zstd:1')).code).toBe(0);
    expect(fileHash('127.0.0.1:5000/zstd:1', '/big-zstd')).toBe(sha256(noise(3_000_000, 'zstd')));
  });

  it('chooses from an index, and by digest', async () => {
    const ours = main.putImage('multi', undefined, [{ tar: base }], { config: imageConfig([base], { Cmd: ['multi'] }) });
    const other = main.putImage('multi', undefined, [{ tar: base }], { config: imageConfig([base]).replace('amd64', 'arm') });
    const entry = (image: typeof ours, platform: object): object => ({ mediaType: image.mediaType, digest: image.digest, size: image.sizeBytes, platform });
    const index = main.putManifest('multi', 'latest', {
      schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [entry(other, { os: 'linux', architecture: 'arm', variant: 'v6' }), entry(ours, { os: 'linux', architecture: 'amd64' }), entry(other, { os: 'unknown', architecture: 'unknown' })],
    });
    expect((await pull('localhost:5000/multi')).stdout).toContain(`Digest: ${index}`);
    expect(lab.ok('inspect', '-f', '{{.Architecture}} {{json .RepoDigests}}', 'localhost:5000/multi')).toBe(`amd64 ["localhost:5000/multi@${index}"]`);
    expect(lab.ok('images', '--digests', '--format', '{{.Repository}} {{.Tag}} {{.Digest}}')).toContain(`localhost:5000/multi latest ${index}`);
    expect((await pull('--platform', 'linux/arm/v7', 'localhost:5000/multi')).code).toBe(0);
    expect(lab.ok('inspect', '-f', '{{.Architecture}}', 'localhost:5000/multi')).toBe('arm');
    expect((await pull('--platform', 'linux/s390x', 'localhost:5000/multi')).stderr).toContain('no matching manifest for linux/s390x in the manifest list entries');

    const named = `localhost:5000/multi@${ours.digest}`;
    expect((await pull(named)).stdout).toContain(`Status: Downloaded newer image for ${named}`);
    expect((await pull(named)).stdout).toContain(`Status: Image is up to date for ${named}`);
    expect(lab.ok('run', '--rm', named, 'echo', 'by digest')).toBe('by digest');
    const forged = `sha256:${'0'.repeat(64)}`;
    expect((await pull(`localhost:5000/multi@${forged}`)).stderr).toContain('manifest unknown');
    main.putManifest('multi', forged, { schemaVersion: 2, config: {}, layers: [] });
    expect((await pull(`localhost:5000/multi@${forged}`)).stderr).toContain(`manifest verification failed for digest ${forged}`);
  });

  it('removes digests with the last tag of their repository', async () => {
    main.putImage('gone', '1', [{ tar: base }], { config: imageConfig([base], { Cmd: ['gone'] }) });
    expect((await pull('localhost:5000/gone:1')).code).toBe(0);
    expect(lab.ok('rmi', 'localhost:5000/gone:1')).toMatch(/^Untagged: localhost:5000\/gone:1\nUntagged: localhost:5000\/gone@sha256:\w+\nDeleted: sha256:\w+$/);
    expect(lab.ok('images', '-q', 'localhost:5000/gone')).toBe('');
  });

  it('says what is wrong in Docker’s words', async () => {
    expect((await pull('localhost:5000/team/oci:nope')).stderr).toContain('manifest for localhost:5000/team/oci:nope not found: manifest unknown: manifest unknown');
    expect((await pull('localhost:5999/nothing')).stderr).toMatch(/Get "http:\/\/localhost:5999\/v2\/.*": dial tcp .*:5999: connect: connection refused/);
    expect((await pull('no-such-host.invalid/nothing')).stderr).toMatch(/lookup no-such-host.invalid/);
    main.putManifest('old', '1', { schemaVersion: 1, fsLayers: [], history: [] });
    expect((await pull('localhost:5000/old:1')).stderr).toContain('schema 1');
    main.putManifest('chart', '1', { schemaVersion: 2, config: { mediaType: 'application/vnd.cncf.helm.config.v1+json', ...main.putBlob(Buffer.from('{}')) }, layers: [] });
    expect((await pull('localhost:5000/chart:1')).stderr).toContain('artifact');
  });

  it('logs in by token and by password', async () => {
    const token = await serve(5001, { auth: { kind: 'token', user: 'me', password: 'secret' } });
    const basic = await serve(5002, { auth: { kind: 'basic', user: 'me', password: 'secret' } });
    for (const [port, registry] of [[5001, token], [5002, basic]] as const) {
      registry.putImage('private', 'latest', [{ tar: base }]);
      const name = `localhost:${port}/private`;
      expect((await pull(name)).stderr).toMatch(port === 5001 ? /unauthorized|denied/ : /no basic auth credentials/);
      const bad = await lab.dockerAsync('login', '-u', 'me', '-p', 'wrong', `localhost:${port}`);
      expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining('unauthorized') as string]);
      expect((await lab.dockerAsync('login', '-u', 'me', '-p', 'secret', `localhost:${port}`)).stdout).toContain('Login Succeeded');
      expect(await pull(name)).toMatchObject({ code: 0, stderr: '' });
      await lab.dockerAsync('logout', `localhost:${port}`);
    }
    // The token runs out in the middle: a new one is fetched.
    token.putImage('private', '2', [{ tar: base }, { tar: big('token') }]);
    expect((await minke('login', '-u', 'me', '-p', 'secret', 'localhost:5001')).stdout).toContain('Login Succeeded');
    expect(await minke('pull', 'localhost:5001/private:2')).toMatchObject({ code: 0 });
    expect(fileHash('localhost:5001/private:2', '/big-token')).toBe(sha256(noise(3_000_000, 'token')));
  });

  it('follows redirects, but tells nobody else the password', async () => {
    const storage = await serve(5003);
    const front = await serve(5004, { auth: { kind: 'basic', user: 'me', password: 'secret' } });
    const tar = big('redirect');
    const image = front.putImage('elsewhere', '1', [{ tar: base }, { tar }]);
    storage.putBlob(tar);
    front.fault = ({ url }) => (url.endsWith(image.layerDigests[1] ?? '?') ? { redirect: `http://127.0.0.1:5003${url}` } : undefined);
    await lab.dockerAsync('login', '-u', 'me', '-p', 'secret', 'localhost:5004');
    expect(await pull('localhost:5004/elsewhere:1')).toMatchObject({ code: 0, stderr: '' });
    expect(storage.requests).toHaveLength(1);
    expect(storage.requests[0]?.authorization).toBeUndefined();
    front.fault = ({ url }) => (url.includes('/manifests/') ? { redirect: url } : undefined);
    expect((await pull('localhost:5004/elsewhere:1')).stderr).toContain('stopped after 10 redirects');
  });

  it('goes on where the connection broke', async () => {
    const tar = big('cut');
    const blob = gzipSync(tar);
    const image = main.putImage('cut', '1', [{ tar: base }, { tar, blob }]);
    main.fault = ({ url }) => (url.endsWith(image.layerDigests[1] ?? '?') ? { cutAfterBytes: 700_000 } : undefined);
    expect(await pull('localhost:5000/cut:1')).toMatchObject({ code: 0, stderr: '' });
    const ranges = main.blobRequests().filter(({ url }) => url.endsWith(image.layerDigests[1] ?? '?')).map(({ range }) => range);
    expect(ranges.length).toBeGreaterThan(3);
    expect(ranges[1]).toMatch(/^bytes=\d{5,}-$/);
    expect(fileHash('localhost:5000/cut:1', '/big-cut')).toBe(sha256(noise(3_000_000, 'cut')));
    // A removed container's folder goes there first; docker does not wait for its end.
    await waitFor(() => readdirSync(`${lab.dataRoot}/tmp`).length === 0);
  });

  it('starts over with a server that knows no ranges, and gets over its errors', async () => {
    const tar = big('flaky');
    const image = main.putImage('flaky', '1', [{ tar: base }, { tar }]);
    let asked = 0;
    main.fault = ({ url }) => {
      if (!url.endsWith(image.layerDigests[1] ?? '?')) return undefined;
      asked += 1;
      return [{ status: 503 }, { cutAfterBytes: 900_000 }, { status: 500 }, { ignoreRange: true }][asked - 1];
    };
    expect(await pull('localhost:5000/flaky:1')).toMatchObject({ code: 0, stderr: '' });
    expect(asked).toBe(4);
    expect(fileHash('localhost:5000/flaky:1', '/big-flaky')).toBe(sha256(noise(3_000_000, 'flaky')));
  });

  it('stores nothing that is wrong', async () => {
    const layers = stored();
    const tar = big('wrong');
    const gone = (): void => {
      expect(stored()).toBe(layers);
      expect(readdirSync(`${lab.dataRoot}/tmp`)).toEqual([]);
      expect(lab.ok('images', '-q', 'localhost:5000/wrong')).toBe('');
    };
    const image = main.putImage('wrong', '1', [{ tar }]);
    let damages = 1;
    main.fault = ({ url }) => (url.endsWith(image.layerDigests[0] ?? '?') && damages-- > 0 ? { corruptByte: 1_000_000 } : undefined);
    expect(await pull('localhost:5000/wrong:1')).toMatchObject({ code: 0, stderr: '' });
    lab.ok('rmi', 'localhost:5000/wrong:1');
    gone();
    main.fault = ({ url }) => (url.endsWith(image.layerDigests[0] ?? '?') ? { corruptByte: 1_000_000 } : undefined);
    expect((await pull('localhost:5000/wrong:1')).stderr).toContain(`filesystem layer verification failed for digest ${image.layerDigests[0] ?? ''}`);
    gone();
    main.fault = () => undefined;
    // A layer that is what the manifest says, and not what the image says.
    main.putImage('wrong', '2', [{ tar }], { config: imageConfig([base]).replace(sha256(base), sha256('other')) });
    expect((await pull('localhost:5000/wrong:2')).stderr).toContain('does not have the content that the image names');
    gone();
    const config = imageConfig([tar]);
    const descriptor = (size: number): object => ({ schemaVersion: 2, config: { digest: `sha256:${sha256(config)}`, size: config.length }, layers: [{ digest: `sha256:${sha256(tar)}`, size }] });
    main.putManifest('wrong', '3', descriptor(tar.length - 1));
    expect((await pull('localhost:5000/wrong:3')).stderr).toContain('more of');
    gone();
  });

  it('keeps what is finished when the daemon is killed, and fetches only the rest', async () => {
    const [one, two] = [big('kill-one'), big('kill-two')];
    const image = main.putImage('kill', '1', [{ tar: one }, { tar: two }], { config: imageConfig([one, two]) });
    const before = stored();
    let storedBefore = -1;
    // So slow that the second layer waits until there is something that a kill cannot take.
    main.fault = ({ url }) => {
      if (url.endsWith(image.layerDigests[1] ?? '?')) storedBefore = stored();
      return url.includes('/blobs/') ? { delayMs: 80 } : undefined;
    };
    const broken = pull('localhost:5000/kill:1');
    await waitFor(() => stored() === before + 1, 30_000);
    await lab.signalDaemon('SIGKILL');
    expect((await broken).code).not.toBe(0);
    // -1: killed before it was asked for.
    expect([-1, before + 1]).toContain(storedBefore);
    await lab.startDaemon();
    expect(stored()).toBe(before + 1);
    expect(readdirSync(`${lab.dataRoot}/tmp`)).toEqual([]);
    expect(lab.ok('images', '-q', 'localhost:5000/kill')).toBe('');
    main.fault = () => undefined;
    main.requests.length = 0;
    expect((await pull('localhost:5000/kill:1')).stdout).toContain(`${image.layerDigests[0]?.slice(7, 19) ?? ''}: Already exists`);
    expect(main.blobRequests().map(({ url }) => url.split('/').at(-1))).toEqual([image.configDigest, image.layerDigests[1]]);
    expect(id('localhost:5000/kill:1')).toBe(`sha256:${sha256(imageConfig([one, two]))}`);
    const holder = lab.ok('create', 'localhost:5000/kill:1');
    for (const seed of ['kill-one', 'kill-two']) {
      const copied = lab.run(['sh', '-c', `docker cp ${holder}:/big-${seed} - | tar -xO | sha256sum`]).stdout.split(' ')[0];
      expect(copied).toBe(sha256(noise(3_000_000, seed)));
    }
    lab.ok('rm', holder);
    lab.ok('rmi', 'localhost:5000/kill:1');
    expect(stored()).toBe(before);
    expect(JSON.parse(readFileSync(`${lab.dataRoot}/images/holds.json`, 'utf8'))).toEqual({ holds: {} });
  });

  it('is killed at random moments, and has the image whole or not at all', async () => {
    const seeds = ['r1', 'r2', 'r3'];
    const tars = seeds.map((seed) => tarOf(Array.from({ length: 150 }, (_, index) => tarFile(`${seed}/${index}`, noise(6000, `${seed}${index}`)))));
    main.putImage('random', '1', [{ tar: base }, ...tars.map((tar) => ({ tar, blob: gzipSync(tar) }))], { config: imageConfig([base, ...tars]) });
    main.fault = ({ url }) => (url.includes('/blobs/') ? { delayMs: 15 } : undefined);
    const check = 'cat /r1/* /r2/* /r3/* | sha256sum';
    const expected = sha256(Buffer.concat(seeds.flatMap((seed) => Array.from({ length: 150 }, (_, index) => index).sort((a, b) => (String(a) < String(b) ? -1 : 1)).map((index) => noise(6000, `${seed}${index}`)))));
    let cut = 0;
    const before = stored();
    for (let round = 0; round < 8; round += 1) {
      const pulling = pull('localhost:5000/random:1');
      await new Promise((resolve) => setTimeout(resolve, 100 + ((round * 379) % 900)));
      await lab.signalDaemon('SIGKILL');
      if ((await pulling).code !== 0) cut += 1;
      await lab.startDaemon();
      expect(readdirSync(`${lab.dataRoot}/tmp`)).toEqual([]);
      if (lab.docker('inspect', 'localhost:5000/random:1').code === 0) {
        expect(lab.ok('run', '--rm', 'localhost:5000/random:1', 'sh', '-c', check)).toContain(expected);
        lab.ok('rmi', 'localhost:5000/random:1');
        expect(stored()).toBe(before);
      }
    }
    expect(cut).toBeGreaterThan(0);
    main.fault = () => undefined;
    expect(await pull('localhost:5000/random:1')).toMatchObject({ code: 0, stderr: '' });
    expect(lab.ok('run', '--rm', 'localhost:5000/random:1', 'sh', '-c', check)).toContain(expected);
    lab.ok('rmi', 'localhost:5000/random:1');
    expect(stored()).toBe(before);
    expect(existsSync(`${lab.dataRoot}/damaged`)).toBe(false);
    expect(JSON.parse(readFileSync(`${lab.dataRoot}/images/holds.json`, 'utf8'))).toEqual({ holds: {} });
  }, 240_000);

  it('stops when the client goes; prune throws away what is left', async () => {
    const [one, two] = [big('gone-one'), big('gone-two')];
    const image = main.putImage('interrupted', '1', [{ tar: one }, { tar: two }], { config: imageConfig([one, two]) });
    main.fault = ({ url }) => (url.endsWith(image.layerDigests[1] ?? '?') ? { delayMs: 300 } : undefined);
    const before = stored();
    const client = lab.spawn(['docker', 'pull', 'localhost:5000/interrupted:1']);
    await waitFor(() => stored() === before + 1, 30_000);
    client.kill('SIGKILL');
    await waitFor(() => readdirSync(`${lab.dataRoot}/tmp`).length === 0);
    expect(stored()).toBe(before + 1);
    lab.ok('image', 'prune', '-f');
    expect(stored()).toBe(before);
  });

  it('fetches a layer once for pulls at the same time', async () => {
    const shared = big('shared');
    const images = ['a', 'b', 'c'].map((name) => main.putImage('parallel', name, [{ tar: base }, { tar: shared }], { config: imageConfig([base, shared], { Cmd: [name] }) }));
    main.fault = ({ url }) => (url.endsWith(images[0]?.layerDigests[1] ?? '?') ? { delayMs: 20 } : undefined);
    const outcomes = await Promise.all(['a', 'b', 'c', 'a'].map((tag) => pull(`localhost:5000/parallel:${tag}`)));
    expect(outcomes.map(({ code, stderr }) => [code, stderr])).toEqual([[0, ''], [0, ''], [0, ''], [0, '']]);
    expect(main.blobRequests().filter(({ url }) => url.endsWith(images[0]?.layerDigests[1] ?? '?'))).toHaveLength(1);
    expect((await pull('-a', 'localhost:5000/parallel')).stdout.match(/Status: Image is up to date/g)).toHaveLength(3);
  });

  it.skipIf(spawnSync('fincore', ['--version']).status !== 0)('leaves nothing of what it writes in memory', async () => {
    const files = [...Array.from({ length: 40 }, (_, index) => noise(100_000, `gentle ${index}`)), noise(20_000_000, 'gentle')];
    const tar = tarOf(files.map((data, index) => tarFile(`gentle/${index}`, data)));
    const image = main.putImage('gentle', '1', [{ tar }]);
    expect(await pull('localhost:5000/gentle:1')).toMatchObject({ code: 0, stderr: '' });
    const folder = `${lab.dataRoot}/layers/${image.layerDigests[0]?.slice(7, 23) ?? ''}/diff/gentle`;
    const cached = spawnSync('fincore', ['-b', '-n', '-o', 'RES', ...files.map((_, index) => `${folder}/${index}`)]).stdout.toString().trim().split(/\s+/).map(Number);
    expect(cached).toHaveLength(files.length);
    expect(cached.reduce((sum, sizeBytes) => sum + sizeBytes, 0)).toBeLessThan(2_000_000);
    lab.ok('rmi', 'localhost:5000/gentle:1');
  });

  it('is done by run and create of our own command line, and told as an event', async () => {
    main.putImage('auto', '1', [{ tar: base }], { config: imageConfig([base], { Cmd: ['echo', 'pulled'], Labels: { a: 'b' } }) });
    const since = String(Math.floor(Date.now() / 1000) - 1);
    const ran = await minke('run', '--rm', 'localhost:5000/auto:1');
    expect(ran).toMatchObject({ code: 0, stdout: 'pulled\n' });
    expect(ran.stderr).toContain("Unable to find image 'localhost:5000/auto:1' locally");
    expect(ran.stderr).toContain('Status: Downloaded newer image for localhost:5000/auto:1');
    lab.ok('rmi', 'localhost:5000/auto:1');
    expect((await minke('create', 'localhost:5000/auto:1')).stdout).toMatch(/^[0-9a-f]{64}\n$/);
    const events = lab.ok('events', '--since', since, '--until', String(Math.floor(Date.now() / 1000) + 1), '--filter', 'event=pull', '--filter', 'image=localhost:5000/auto:1', '--format', '{{.Actor.ID}} {{.Actor.Attributes.name}} {{.Actor.Attributes.a}}');
    expect(events.split('\n')).toEqual(['localhost:5000/auto:1 localhost:5000/auto b', 'localhost:5000/auto:1 localhost:5000/auto b']);
  });

  it('says so when the disk is too small, and leaves room for what fits', async () => {
    const small = `${lab.folder}/small`;
    lab.run(['sh', '-c', `mkdir ${small} && mount -t tmpfs -o size=12m tmpfs ${small}`]);
    const socket = `${lab.folder}/small.sock`;
    const daemon = lab.spawn([process.env['OSBUILD_ENGINE_BINARY'] ?? '', 'daemon', '-H', `unix://${socket}`, '--data-root', `${small}/data`, '--exec-root', `${lab.folder}/small-run`, '--pidfile', '', '--bridge', 'none']);
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    const docker = (...args: string[]): Promise<Outcome> => lab.dockerAsync('-H', `unix://${socket}`, ...args);
    try {
      await waitFor(async () => (await docker('version')).code === 0);
      const plain = tarOf([tarFile('filler', Buffer.alloc(20_000_000, 1))]);
      const config = main.putBlob(Buffer.from(imageConfig([base])));
      main.putManifest('huge', 'sent', { schemaVersion: 2, config, layers: [{ digest: `sha256:${sha256(base)}`, size: 17_000_000 }] });
      main.putImage('huge', 'grown', [{ tar: big('first') }, { tar: plain, blob: gzipSync(plain), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }]);
      expect((await docker('pull', 'localhost:5000/huge:sent')).stderr).toMatch(/no space left on device: the image has 17 MB compressed/);
      expect((await docker('pull', 'localhost:5000/huge:grown')).stderr).toContain('no space left on device');
      expect(lab.run(['sh', '-c', `ls ${small}/data/tmp ${small}/data/layers; cat ${small}/data/images/holds.json`]).stdout).toBe(`${small}/data/layers:\n\n${small}/data/tmp:\n{"holds":{}}`);
      main.putImage('fits', '1', [{ tar: base }]);
      expect(await docker('pull', 'localhost:5000/fits:1')).toMatchObject({ code: 0, stderr: '' });
    } finally {
      daemon.kill('SIGTERM');
      await ended;
      lab.run(['umount', '-l', small]);
    }
  });
}, { image: false });
