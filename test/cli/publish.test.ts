import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { startRegistry, type Registry } from '../../src/device/registry.ts';
import { openToolsTree } from '../../src/device/tools-tree.ts';
import { describeLab } from '../engine/support/describe-lab.ts';
import { forward } from '../engine/support/lab-registry.ts';
import { writeRelease } from '../support/release.ts';

const home = new URL('../..', import.meta.url).pathname;
const tree = process.env['OSBUILD_TEST_EMULATION_TREE'] ?? '';
const binary = process.env['OSBUILD_ENGINE_BINARY'] ?? '';

interface Published {
  name: string;
  digest: string;
  imageId: string;
  sizeBytes: number;
  sentBytes: number;
  deltas: { fromVersion: string; base: string; tag: string; sizeBytes: number; found: boolean }[];
  attachments: { fileName: string; artifactType: string; digest: string; sizeBytes: number }[];
}

interface Outcome {
  exitCode: number | undefined;
  published: Published | undefined;
  events: { type: string; code?: string; message?: string; hint?: string; id?: string }[];
}

/** Debian's docker-registry, which knows no referrers, and an engine as on a device at the other end of a counted line. */
describeLab('osbuild publish', (lab) => {
  let folder = '';
  let registry: Registry;
  let relay: Server;
  let closeForward: (() => void) | undefined;
  let loadedBytes = 0;
  let repository = '';
  const release = (version: string, options?: Parameters<typeof writeRelease>[2]) => writeRelease(join(folder, `${options?.machine ?? 'board'}-${version}.os.tar`), version, options);
  const osbuild = async (...words: string[]): Promise<Outcome> => {
    const { exitCode, stdout } = await execa(join(home, 'osbuild'), ['publish', ...words, '--json', '-C', folder], { reject: false, stdin: 'ignore', env: { DOCKER_CONFIG: folder } });
    const events = stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Outcome['events'][number]);
    return { exitCode, published: events.find(({ type }) => type === 'published') as Published | undefined, events };
  };
  const published = async (...words: string[]): Promise<Published> => {
    const { published: result, events } = await osbuild(...words);
    if (result === undefined) throw new Error(JSON.stringify(events.at(-1)));
    return result;
  };
  const minke = async (...words: string[]): Promise<string> => {
    const child = lab.spawn([binary, '-H', `unix://${lab.socket}`, ...words]);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (said += data.toString()));
    const code = await new Promise((done) => child.once('close', done));
    expect([words, code, said]).toEqual([words, 0, said]);
    return said.trim();
  };
  /** What a device loads while it pulls. */
  const loadedBy = async (action: () => Promise<unknown>): Promise<number> => {
    const before = loadedBytes;
    await action();
    return loadedBytes - before;
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'osbuild-publish-'));
    writeFileSync(join(folder, 'build.config.yaml'), 'base: osbuild\n');
    mkdirSync(join(folder, 'registry'));
    registry = await startRegistry(openToolsTree({ folder: tree, work: join(folder, 'work'), hostEnvironment: { PATH: process.env['PATH'] ?? '' }, signal: new AbortController().signal }), join(folder, 'registry'));
    const { port } = registry.link;
    repository = `127.0.0.1:${port}/team/os`;
    relay = createServer((device) => {
      const there = createConnection({ host: '127.0.0.1', port });
      there.on('data', (data: Buffer) => (loadedBytes += data.length));
      device.pipe(there).pipe(device);
      for (const [one, other] of [[device, there], [there, device]] as const) one.on('error', () => other.destroy()).on('close', () => other.destroy());
    });
    const socket = join(lab.folder, 'relay.sock');
    await new Promise<void>((resolve) => relay.listen(socket, resolve));
    closeForward = await forward(lab, port, socket);
  }, 120_000);
  afterAll(async () => {
    closeForward?.();
    relay?.close();
    await registry?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('puts a release there as it was built, and the next one with a delta that a device finds', async () => {
    const [first, second] = [release('1.0.0'), release('1.1.0')];
    const one = await published('--image', first.file, repository);
    expect(one).toMatchObject({ name: `${repository}:board-1.0.0`, imageId: first.imageId, sizeBytes: first.totalBytes, sentBytes: first.totalBytes, deltas: [] });
    expect(readFileSync(first.file).includes(one.digest.slice('sha256:'.length)), 'the manifest is that of the archive').toBe(true);

    const two = await published('--image', second.file, repository);
    expect(two.deltas).toMatchObject([{ fromVersion: '1.0.0', base: first.imageId, found: false }]);
    const [delta] = two.deltas;
    expect(delta?.sizeBytes).toBeLessThan(second.totalBytes / 20);
    expect(two.sentBytes).toBe(second.totalBytes + (delta?.sizeBytes ?? 0));

    // As an update does it: the release that runs has a name of its own, and none of the repository's.
    const whole = await loadedBy(() => minke('pull', one.name));
    expect(whole).toBeGreaterThan(first.totalBytes);
    await minke('tag', one.name, 'minke-os/current');
    await minke('rmi', one.name);
    const bytes = await loadedBy(async () => expect(await minke('pull', '--delta=require', two.name)).toContain('Pulling a delta'));
    expect(await minke('inspect', '-f', '{{.Id}}', two.name)).toBe(second.imageId);
    // The delta, and the manifests, configurations and lists by which it is found.
    expect(bytes).toBeLessThan((delta?.sizeBytes ?? 0) + 16_384);
    expect(bytes).toBeGreaterThan(delta?.sizeBytes ?? Number.NaN);
  }, 240_000);

  it('sends nothing a second time', async () => {
    const again = await published('--image', join(folder, 'board-1.1.0.os.tar'), repository);
    expect(again).toMatchObject({ sentBytes: 0, deltas: [{ fromVersion: '1.0.0', found: true }] });
    // The same release under another tag: its blobs are there, and so is its delta.
    const moved = await published('--image', join(folder, 'board-1.1.0.os.tar'), `${repository}:stable`);
    expect(moved).toMatchObject({ name: `${repository}:stable`, digest: again.digest, sentBytes: 0, deltas: [{ found: true }] });
  }, 120_000);

  it('puts the kernel’s headers and the bill of materials with the release, where other programs find them', async () => {
    const target = release('1.4.0', { machine: 'attached' });
    const headers = Buffer.alloc(3_000_000, 'headers of a kernel, packed');
    const sbom = JSON.stringify({ bomFormat: 'CycloneDX', metadata: { component: { version: '1.4.0', properties: [{ name: 'osbuild:machine', value: 'attached' }] } } });
    writeFileSync(join(folder, 'attached-1.4.0.kernel-headers.tar.zst'), headers);
    writeFileSync(join(folder, 'sbom.cdx.json'), sbom);
    const one = await published('--image', target.file, repository, '--deltas', '0');
    expect(one.attachments.map(({ fileName, artifactType, sizeBytes }) => [fileName, artifactType, sizeBytes])).toEqual([
      ['attached-1.4.0.kernel-headers.tar.zst', 'application/vnd.minke.kernel-headers.v1', headers.length],
      ['sbom.cdx.json', 'application/vnd.cyclonedx+json', sbom.length],
    ]);
    expect(one.sentBytes).toBe(target.totalBytes + headers.length + sbom.length + '{}'.length);

    // As any client of OCI 1.1 does it: the list of what refers to the release, a manifest, its blob.
    const get = async (path: string): Promise<Buffer> => {
      const response = await fetch(`http://${repository.replace('/', '/v2/')}/${path}`, { headers: { Accept: 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json' } });
      expect([path, response.status]).toEqual([path, 200]);
      return Buffer.from(await response.arrayBuffer());
    };
    const { manifests } = JSON.parse((await get(`manifests/${one.digest.replace(':', '-')}`)).toString());
    expect(manifests).toMatchObject(one.attachments.map(({ digest, artifactType, fileName }) => ({ digest, artifactType, annotations: { 'org.opencontainers.image.title': fileName } })));
    for (const [index, content] of [headers, Buffer.from(sbom)].entries()) {
      const manifest = JSON.parse((await get(`manifests/${one.attachments[index]?.digest}`)).toString());
      expect(manifest).toMatchObject({ config: { mediaType: 'application/vnd.oci.empty.v1+json', size: 2 }, subject: { digest: one.digest }, layers: [{ size: content.length }] });
      expect((await get(`blobs/${manifest.layers[0].digest}`)).equals(content)).toBe(true);
    }

    expect(await published('--image', target.file, repository, '--deltas', '0')).toMatchObject({ sentBytes: 0, attachments: one.attachments });
    // A bill of materials of another release is none of this one's.
    expect((await published('--image', release('1.4.1', { machine: 'attached' }).file, repository, '--deltas', '0')).attachments).toEqual([]);
    rmSync(join(folder, 'sbom.cdx.json'));
  }, 120_000);

  it('leaves a tag alone that holds another release, unless it is told', async () => {
    const third = release('1.2.0');
    const refused = await osbuild('--image', third.file, `${repository}:stable`);
    expect(refused).toMatchObject({ exitCode: 2, published: undefined });
    expect(refused.events.at(-1)).toMatchObject({ type: 'error', code: 'OSB_USAGE', message: expect.stringContaining('holds release 1.1.0 of board'), hint: expect.stringContaining('--force') });
    const forced = await published('--image', third.file, `${repository}:stable`, '--force', '--deltas', '1');
    expect(forced.deltas).toMatchObject([{ fromVersion: '1.1.0' }]);
    await minke('tag', `${repository}:board-1.1.0`, 'minke-os/current');
    expect(await minke('pull', '--delta=require', `${repository}:stable`)).toContain('Pulling a delta');
    expect(await minke('inspect', '-f', '{{.Id}}', `${repository}:stable`)).toBe(third.imageId);
  }, 240_000);

  it('makes deltas from files, tags and names, and none from a release of another machine', async () => {
    const [foreign, older, target] = [release('0.9.0', { machine: 'other' }), release('0.8.0'), release('1.3.0')];
    const other = await published('--image', foreign.file, '--deltas', '0', repository);
    const { published: result, events } = await osbuild('--image', target.file, repository, '--deltas', '0', '--from', older.file, '--from', ':board-1.0.0', '--from', other.name);
    expect(result?.deltas.map(({ fromVersion }) => fromVersion)).toEqual(['0.8.0', '1.0.0']);
    expect(events.find(({ code }) => code === 'BASE_SKIPPED')?.message).toContain('release 0.9.0 is for other, and this one for board');
    const missing = await osbuild('--image', target.file, repository, '--from', 'absent');
    expect(missing).toMatchObject({ exitCode: 2 });
    expect(missing.events.at(-1)?.message).toContain(`${repository}:absent is no release`);
  }, 240_000);

  it('goes on where a run was killed', async () => {
    // The second layer is larger than what the sockets on the way hold: that much arrives after its sender's death.
    const target = release('2.0.0', { noiseBytes: 6_000_000, kernelBytes: 24_000_000 });
    const words = ['publish', '--image', target.file, `${repository}:cut`, '--deltas', '0', '-C', folder];
    registry.link.setRate(2_000_000);
    const run = spawn(join(home, 'osbuild'), words, { stdio: 'ignore', detached: true });
    const ended = new Promise((done) => run.once('close', done));
    const store = join(folder, 'registry/store/docker/registry/v2/blobs/sha256');
    const [, root] = /"layers":\[\{[^}]*?"digest":"sha256:([0-9a-f]{64})"/.exec(readFileSync(target.file).toString('latin1')) ?? [];
    // The first layer has come, the second one has not.
    for (const deadline = Date.now() + 60_000; !existsSync(join(store, root?.slice(0, 2) ?? '', root ?? '', 'data')) && Date.now() < deadline; ) await sleep(20);
    process.kill(-(run.pid ?? 0), 'SIGKILL');
    await ended;
    registry.link.setRate(null);
    const { sentBytes } = await published(...words.slice(1, -2));
    expect(sentBytes).toBeLessThan(target.totalBytes - (target.layerBytes[0] ?? 0) + 1);
    expect(sentBytes).toBeGreaterThan(0);
  }, 120_000);

  it('wants a release to be signed where the project has keys, and says so where it has none', async () => {
    const pair = () => generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } }).privateKey;
    const [key, other] = [pair(), pair()];
    const unsigned = release('3.0.0');
    expect((await osbuild('--image', unsigned.file, `${repository}:unsigned`, '--deltas', '0')).events.find(({ code }) => code === 'RELEASE_UNSIGNED')).toMatchObject({ type: 'notice', level: 'warning' });
    writeFileSync(join(folder, 'key.pem'), key);
    writeFileSync(join(folder, 'build.config.yaml'), 'base: osbuild\nupdates: { signWith: [key.pem] }\n');
    try {
      for (const [file, why] of [[unsigned.file, 'is not signed'], [release('3.0.1', { key: other }).file, 'is not signed with']]) {
        const refused = await osbuild('--image', file ?? '', `${repository}:signed`, '--deltas', '0');
        expect(refused).toMatchObject({ exitCode: 1, published: undefined });
        expect(refused.events.at(-1)).toMatchObject({ type: 'error', code: 'OSB_SIGNATURE_INVALID', message: expect.stringContaining(why ?? '') });
      }
      const signed = await osbuild('--image', release('3.0.2', { key }).file, `${repository}:signed`, '--deltas', '0');
      expect(signed.exitCode).toBe(0);
      expect(signed.events.some(({ code }) => code === 'RELEASE_UNSIGNED')).toBe(false);
    } finally {
      writeFileSync(join(folder, 'build.config.yaml'), 'base: osbuild\n');
    }
  }, 120_000);

  it('says what is wrong with what it was given', async () => {
    const wrong = async (...words: string[]): Promise<string> => {
      const { exitCode, events } = await osbuild(...words);
      expect([words, exitCode]).toEqual([words, 2]);
      return `${events.at(-1)?.message} ${events.at(-1)?.hint}`;
    };
    expect(await wrong('--image', join(folder, 'absent.os.tar'), repository)).toContain('there is no file');
    expect(await wrong('--image', join(folder, 'build.config.yaml'), repository)).toContain('is no archive of an image');
    expect(await wrong('--image', join(folder, 'board-1.0.0.os.tar'), `https://${repository}`)).toContain('without https://');
    expect(await wrong('--image', join(folder, 'board-1.0.0.os.tar'), repository, '--deltas', 'many')).toContain('not a number of deltas');
    const unreachable = await osbuild('--image', join(folder, 'board-1.0.0.os.tar'), '127.0.0.1:1/os');
    expect(unreachable).toMatchObject({ exitCode: 1 });
    expect(unreachable.events.at(-1)).toMatchObject({ code: 'OSB_REGISTRY', message: expect.stringContaining('127.0.0.1:1 cannot be reached') });
  }, 120_000);
}, { image: false, obstacle: existsSync(tree) ? undefined : 'needs docker-registry: OSBUILD_TEST_EMULATION_TREE (a plain `npm test` makes it)' });
