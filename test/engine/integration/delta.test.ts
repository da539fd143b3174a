import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { oldStyleArchive } from '../support/docker-archive.ts';
import type { Outcome } from '../support/lab.ts';
import { serveRegistry } from '../support/lab-registry.ts';
import type { TestRegistry } from '../support/registry.ts';
import { tarFile, tarFolder, tarOf, tarSymlink } from '../support/tar-writer.ts';

/** Content that does not compress, the same each time. */
function noise(sizeBytes: number, seed: string): Buffer {
  return createHash('shake256', { outputLength: sizeBytes }).update(seed).digest();
}

/** A new version of a program: a few bytes here and there, and something in the middle. */
function edited(program: Buffer): Buffer {
  const copy = Buffer.from(program);
  for (let at = 500; at < copy.length; at += 30_011) copy[at] = ((copy[at] ?? 0) + 1) % 256;
  return Buffer.concat([copy.subarray(0, 400_000), Buffer.from('a new function'), copy.subarray(400_000)]);
}

describeLab('image deltas', (lab) => {
  let registry: TestRegistry;
  const below = tarOf([tarFolder('bin'), tarFile('bin/program', noise(1_500_000, 'program'), { mode: 0o755 }), tarFile('bin/other', noise(200_000, 'other')), tarSymlink('bin/link', 'other')]);
  const first = tarOf([tarFolder('app', { mtime: 1 }), tarFile('app/data', 'data of the first version\n'.repeat(2000)), tarFile('app/same', noise(300_000, 'same'))]);
  const second = tarOf([
    tarFolder('app', { mtime: 2 }), tarFile('app/data', `data of the second version\n${'data of the first version\n'.repeat(2000)}`), tarFile('app/same', noise(300_000, 'same'), { mtime: 2 }),
    tarFolder('bin'), tarFile('bin/program', edited(noise(1_500_000, 'program')), { mode: 0o755 }), tarFile('bin/.wh.other', ''),
  ]);
  const minke = (...args: string[]): Outcome => lab.run([process.env['OSBUILD_ENGINE_BINARY'] ?? '', '-H', `unix://${lab.socket}`, ...args]);
  const load = (name: string, ...layers: Buffer[]): void => {
    expect(lab.run(['docker', 'load'], oldStyleArchive(name, layers.map((tar) => ({ tar })))).stderr).toBe('');
  };
  const id = (name: string): string => lab.ok('inspect', '-f', '{{.Id}}', name);
  const images = (): string[] => lab.ok('images', '-aq', '--no-trunc').split('\n').filter((line) => line !== '').toSorted();
  const layers = (): string[] => readdirSync(join(lab.dataRoot, 'layers')).toSorted();
  const removeAll = (...names: string[]): void => names.forEach((name) => lab.ok('rmi', '-f', name));
  let target = '';
  let file = '';

  beforeAll(async () => {
    registry = await serveRegistry(lab, 5000);
    load('localhost:5000/app:1', below, first);
    load('localhost:5000/app:2', below, second);
    target = id('localhost:5000/app:2');
    file = join(lab.folder, 'delta.tar');
  });
  afterAll(async () => {
    await registry?.close();
  });

  it('makes an image that is small, the same each time, and can be saved and pushed', async () => {
    const { code, stdout, stderr } = minke('image', 'delta', 'localhost:5000/app:1', 'localhost:5000/app:2', '-t', 'localhost:5000/app:delta-1-2');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain(`Created delta: ${id('localhost:5000/app:delta-1-2')}`);
    minke('image', 'delta', 'localhost:5000/app:1', 'localhost:5000/app:2', '-t', 'again:1');
    expect(id('again:1')).toBe(id('localhost:5000/app:delta-1-2'));
    removeAll('again:1');
    lab.ok('save', '-o', file, 'localhost:5000/app:delta-1-2');
    expect(statSync(file).size).toBeLessThan(30_000);
    expect((await lab.dockerAsync('push', 'localhost:5000/app:delta-1-2')).code).toBe(0);
    expect(lab.ok('inspect', '-f', '{{index .Config.Labels "dev.minke.delta.target"}}', 'localhost:5000/app:delta-1-2')).toBe(target);
  });

  it('a load of the delta gives the target, byte by byte, and leaves no delta', () => {
    const whole = lab.run(['sh', '-c', 'docker save localhost:5000/app:2 | sha256sum']).stdout;
    removeAll('localhost:5000/app:2', 'localhost:5000/app:delta-1-2');
    expect(images()).toEqual([id('localhost:5000/app:1')]);
    expect(lab.ok('load', '-i', file)).toBe('Loaded image: localhost:5000/app:delta-1-2');
    expect(id('localhost:5000/app:delta-1-2')).toBe(target);
    expect(images()).toHaveLength(2);
    expect(layers()).toHaveLength(3);
    lab.ok('tag', target, 'localhost:5000/app:2');
    removeAll('localhost:5000/app:delta-1-2');
    expect(lab.run(['sh', '-c', 'docker save localhost:5000/app:2 | sha256sum']).stdout).toBe(whole);
  });

  it('a pull of the delta gives the target, also over a daemon that is killed after it', async () => {
    removeAll('localhost:5000/app:2');
    const pulled = await lab.dockerAsync('pull', 'localhost:5000/app:delta-1-2');
    expect(pulled.stderr).toBe('');
    expect(id('localhost:5000/app:delta-1-2')).toBe(target);
    await lab.signalDaemon('SIGKILL');
    await lab.startDaemon();
    expect(id('localhost:5000/app:delta-1-2')).toBe(target);
    expect(layers()).toHaveLength(3);
    const sent = registry.requests.filter(({ method, url }) => method === 'GET' && url.includes('/blobs/')).length;
    expect((await lab.dockerAsync('pull', 'localhost:5000/app:delta-1-2')).stdout).toContain('up to date');
    // The target is here: at most the configuration is asked for.
    expect(registry.requests.filter(({ method, url }) => method === 'GET' && url.includes('/blobs/')).length).toBeLessThanOrEqual(sent + 2);
    expect(images()).toHaveLength(2);
  });

  it('says plainly that a base has changed, and leaves everything as it was', () => {
    removeAll('localhost:5000/app:delta-1-2');
    const before = { images: images(), layers: layers() };
    const changed = layers().map((layer) => join(lab.dataRoot, 'layers', layer, 'diff/bin/program')).find((path) => statSync(path, { throwIfNoEntry: false }) !== undefined) ?? '';
    const content = readFileSync(changed);
    content[700_000] = ((content[700_000] ?? 0) + 1) % 256;
    writeFileSync(changed, content);
    expect(lab.docker('load', '-i', file).stderr).toContain('a file of its base is not what it was');
    expect({ images: images(), layers: layers() }).toEqual(before);
    expect(readdirSync(join(lab.dataRoot, 'tmp'))).toEqual([]);
    writeFileSync(changed, noise(1_500_000, 'program'));
    expect(lab.docker('load', '-i', file).stderr).toBe('');
    removeAll('localhost:5000/app:delta-1-2');
  });

  it('says plainly that the base is missing, before it downloads anything', async () => {
    removeAll('localhost:5000/app:1');
    expect(images()).toEqual([]);
    const pulled = await lab.dockerAsync('pull', 'localhost:5000/app:delta-1-2');
    expect(pulled.stderr).toContain('this is a delta to image');
    expect(lab.docker('load', '-i', file).stderr).toContain('this is a delta to image');
    expect(images()).toEqual([]);
    expect(layers()).toEqual([]);
    rmSync(file);
  });

  it('a pull by name finds the delta, uses it only when it may, and does without one that is damaged', async () => {
    load('localhost:5000/app:1', below, first);
    load('localhost:5000/app:2', below, second);
    expect((await lab.dockerAsync('push', 'localhost:5000/app:2')).code).toBe(0);
    expect(minke('image', 'delta', 'localhost:5000/app:1', 'localhost:5000/app:2', '-t', 'localhost:5000/app').code).toBe(0);
    const tag = `delta-${id('localhost:5000/app:1').slice(7, 23)}-${target.slice(7, 23)}`;
    expect((await lab.dockerAsync('push', `localhost:5000/app:${tag}`)).code).toBe(0);
    removeAll('localhost:5000/app:2', `localhost:5000/app:${tag}`);
    const pull = async (...flags: string[]): Promise<{ code: number; text: string }> => {
      const child = lab.spawn([process.env['OSBUILD_ENGINE_BINARY'] ?? '', '-H', `unix://${lab.socket}`, 'pull', ...flags, 'localhost:5000/app:2']);
      let text = '';
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (text += data.toString()));
      const code = await new Promise<number>((done) => child.once('close', (status) => done(status ?? -1)));
      return { code, text };
    };
    const byDelta = await pull('--delta=require');
    expect(byDelta.text).toContain('Pulling a delta');
    expect(byDelta.code).toBe(0);
    expect(id('localhost:5000/app:2')).toBe(target);
    expect(images()).toHaveLength(2);
    expect(layers()).toHaveLength(3);
    removeAll('localhost:5000/app:2');
    const whole = await pull('--delta=never');
    expect(whole.text).not.toContain('delta');
    expect(id('localhost:5000/app:2')).toBe(target);
    removeAll('localhost:5000/app:2');
    expect((await pull()).text).toContain('Pulling a delta');
    removeAll('localhost:5000/app:2');
    const program = layers().map((layer) => join(lab.dataRoot, 'layers', layer, 'diff/bin/program')).find((path) => statSync(path, { throwIfNoEntry: false }) !== undefined) ?? '';
    writeFileSync(program, noise(1_500_000, 'something else'));
    expect((await pull('--delta=require')).text).toContain('a file of its base is not what it was');
    const fallback = await pull();
    expect(fallback.text).toContain('pulling all');
    expect(fallback.code).toBe(0);
    expect(id('localhost:5000/app:2')).toBe(target);
    writeFileSync(program, noise(1_500_000, 'program'));
    removeAll('localhost:5000/app:1', 'localhost:5000/app:2');
    expect((await pull('--delta=require')).text).toContain('there is no delta to localhost:5000/app:2 from an image that is here');
    expect((await pull('--delta=sometimes')).text).toContain('auto, never or require');
    expect(images()).toEqual([]);
  });

  it('refuses what it cannot make a delta of', () => {
    load('a:1', below, first);
    expect(minke('image', 'delta', 'a:1', 'nowhere').stderr).toContain('No such image: nowhere');
    // To itself: nothing but the configuration.
    expect(minke('image', 'delta', 'a:1', 'a:1', '-t', 'self:1').code).toBe(0);
    expect(minke('image', 'delta', 'a:1', 'self:1').stderr).toContain('is a delta itself');
  });
}, { image: false });
