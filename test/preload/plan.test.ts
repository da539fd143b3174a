import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { buildGraph, taskKeys } from '../../src/graph/index.ts';
import { dataBytes } from '../../src/image/disk.ts';
import { imageUrl } from '../../src/image/sbom.ts';
import { planPreload, readApplications, resolveImages, type ResolvedImage } from '../../src/preload/index.ts';
import { choose, wantedPlatform, type Platform } from '../../src/preload/platform.ts';
import type { Manifest, Repository } from '../../src/registry/index.ts';
import { imageConfig, ociArchive, oldStyleArchive, sha256 } from '../engine/support/docker-archive.ts';
import { tarFile, tarOf } from '../engine/support/tar-writer.ts';

let folder = '';
const put = (name: string, content: string | Buffer): string => {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
};
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'osbuild-preload-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a compose file', () => {
  test('goes onto the device with all that it refers to below its folder', () => {
    put('a/.env', 'TAG=3\n');
    put('a/more.env', 'A=1\n');
    put('a/secret', 'x');
    put('a/conf/deep/file', 'y');
    put('a/unused', 'z');
    const applications = readApplications(put('a/compose.prod.yaml', 'services:\n  b: {image: "r.example/b:${TAG}", env_file: [more.env], secrets: [s], volumes: ["./conf:/conf", "./made-there:/x"]}\n  a: {image: "r.example/b:3"}\n  c: {image: c, platform: linux/386}\nsecrets: {s: {file: ./secret}}\n'));
    expect(applications.files.map(({ path }) => path)).toEqual(['.env', 'compose.prod.yaml', 'conf/deep/file', 'more.env', 'secret']);
    expect(applications.files.find(({ path }) => path === 'secret')?.digest).toBe(sha256('x'));
    expect(applications.images).toEqual([{ reference: 'c', platform: 'linux/386', services: ['c'] }, { reference: 'r.example/b:3', platform: '', services: ['a', 'b'] }]);
  });

  test.each([
    ['services: {a: {image: x, comand: y}}\n', 'OSB_CONFIG_INVALID', /line 1: services.a.comand: there is no such key/],
    ['services: {a: {image: x, env_file: [../outside.env]}}\n', 'OSB_CONFIG_INVALID', /refers to .*outside.env, which the device will not have/],
    ['services: [\n', 'OSB_CONFIG_INVALID', /line 1: \[ is not closed/],
  ])('%j is refused', (text, code, message) => {
    put('outside.env', 'A=1\n');
    const file = put('wrong/compose.yaml', text);
    expect(() => readApplications(file)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  test('that is not there is named', () => {
    expect(() => readApplications(join(folder, 'none.yaml'))).toThrow(`there is no compose file ${join(folder, 'none.yaml')}`);
  });
});

describe('platforms', () => {
  const offers: Platform[] = [{ os: 'linux', architecture: 'arm', variant: 'v5' }, { os: 'linux', architecture: 'arm', variant: 'v7' }, { os: 'linux', architecture: 'arm', variant: 'v6' }, { os: 'linux', architecture: 'arm64', variant: 'v8' }, { os: 'windows', architecture: 'amd64' }];
  test.each([
    ['armv7hf', '', 'v7'], ['armv6l', '', 'v6'], ['armv5e', '', 'v5'], ['aarch64', '', 'v8'], ['aarch64', 'linux/arm/v7', 'v7'], ['aarch64', 'linux/arm', 'v7'], ['amd64', '', undefined],
  ] as const)('%s%s has the image of %s', (arch, asked, variant) => {
    expect(choose(wantedPlatform(arch, asked), offers, (offer) => offer)?.variant).toBe(variant);
  });
});

/** A registry that has one repository. */
function fakeRepository(images: Record<string, object>, blobs: Record<string, string>): { open: () => Promise<Repository>; digestOf(tag: string): string } {
  const texts = new Map(Object.entries(images).map(([tag, document]) => [tag, JSON.stringify(document)]));
  const digestOf = (tag: string): string => `sha256:${sha256(texts.get(tag) ?? '')}`;
  const manifest = async (reference: string): Promise<Manifest | null> => {
    const text = texts.get(reference) ?? [...texts].find(([tag]) => digestOf(tag) === reference)?.[1];
    if (text === undefined) return null;
    const { config, layers = [] } = JSON.parse(text) as { config?: { digest: string }; layers?: Array<{ digest: string }> };
    const descriptor = ({ digest }: { digest: string }) => ({ mediaType: 'm', digest, sizeBytes: 1 });
    return { mediaType: 'm', digest: `sha256:${sha256(text)}`, sizeBytes: text.length, config: config === undefined ? null : descriptor(config), layers: layers.map(descriptor), artifactType: null, subject: null, text };
  };
  const repository = { name: { registry: 'r.example', path: 'b' }, manifest, text: async ({ digest }: { digest: string }) => blobs[digest] ?? '' } as unknown as Repository;
  return { open: async () => repository, digestOf };
}

describe('images', () => {
  const config = JSON.stringify({ os: 'linux', architecture: 'arm', variant: 'v6' });
  const image = { config: { digest: `sha256:${sha256(config)}` }, layers: [{ digest: `sha256:${'1'.repeat(64)}` }] };
  const child = `sha256:${sha256(JSON.stringify(image))}`;
  const registry = fakeRepository({ '1': image, many: { manifests: [{ digest: child, platform: { os: 'linux', architecture: 'arm', variant: 'v6' } }, { digest: 'sha256:0', platform: { os: 'unknown', architecture: 'unknown' } }] } }, { [image.config.digest]: config });
  const resolve = (reference: string, arch: 'armv7hf' | 'amd64' = 'armv7hf', archives: string[] = []): Promise<ResolvedImage[]> =>
    resolveImages({ images: [{ reference, platform: '', services: ['a'] }] }, { arch, machine: 'board', archives, insecure: false, open: registry.open });

  test('are found by tag, in lists of platforms, and by digest', async () => {
    for (const reference of ['r.example/b:1', 'r.example/b:many', `r.example/b@${child}`]) {
      expect(await resolve(reference)).toMatchObject([{ reference, services: ['a'], digest: child, id: image.config.digest, registry: { repository: 'r.example/b', blobs: [{ digest: image.config.digest }, { digest: image.layers[0]?.digest }] } }]);
    }
  });

  test('that cannot be had are named, with why', async () => {
    await expect(resolve('r.example/b:2')).rejects.toMatchObject({ code: 'OSB_REGISTRY', message: 'r.example/b:2 is not there: the registry knows no such tag' });
    await expect(resolve('r.example/b:many', 'amd64')).rejects.toMatchObject({ code: 'OSB_CONFIG_INVALID', message: 'r.example/b:many is not there for linux/amd64: the registry has it for linux/arm/v6' });
    await expect(resolve('r.example/b:1', 'amd64')).rejects.toMatchObject({ message: 'r.example/b:1 is not there for linux/amd64: the registry has it for linux/arm/v6' });
    await expect(resolve('r.example/B:1')).rejects.toMatchObject({ code: 'OSB_USAGE' });
  });

  test('in archives come before those of registries', async () => {
    const layer = tarOf([tarFile('x', 'x')]);
    const oci = put('oci.tar', ociArchive('r.example/b:1', [{ tar: layer }]));
    const docker = put('docker.tar', oldStyleArchive('busybox:latest', [{ tar: layer }]));
    const id = `sha256:${sha256(imageConfig([layer]))}`;
    expect(await resolve('r.example/b:1', 'amd64', [docker, oci])).toMatchObject([{ id, archive: oci }]);
    expect(await resolve('busybox', 'amd64', [docker, oci])).toMatchObject([{ id, digest: id, archive: docker }]);
    await expect(resolve('busybox', 'armv7hf', [docker])).rejects.toMatchObject({ message: `docker.io/library/busybox is not there for linux/arm/v7: ${docker} has it for linux/amd64` });
    await expect(resolve('busybox', 'amd64', [join(folder, 'gone.tar')])).rejects.toMatchObject({ code: 'OSB_CONFIG_INVALID', message: expect.stringContaining('there is no file') });
    await expect(resolve('busybox', 'amd64', [put('no.tar', 'no archive')])).rejects.toMatchObject({ message: expect.stringContaining('is no archive of images') });
  });
});

describe('the plan', () => {
  const applications = (text = 'services: {a: {image: "r.example/b:1"}}\n') => readApplications(put('plan/compose.yaml', text));
  const resolved = (digest = 'd'): ResolvedImage[] => [{ reference: 'r.example/b:1', services: ['a'], digest: `sha256:${digest}`, id: `sha256:${'e'.repeat(64)}`, registry: { repository: 'r.example/b', insecure: false, manifest: { mediaType: 'm', text: '{}' }, blobs: [] } }];
  const inputs = { engine: { task: 'engine', output: 'minke' }, tools: 'tree', digests: new Map<string, string>() };
  const stub = (id: string) => ({ id, kind: 'engine/bundle' as const, title: id, args: {}, inputs: {}, result: 'files' as const });
  const keyOf = (text?: string, digest?: string): string => {
    const { tasks, data } = planPreload('board', applications(text), resolved(digest), inputs);
    const graph = buildGraph([...tasks, stub('engine'), stub('tree')], [data.task]);
    const versions = new Proxy({} as Record<string, string>, { get: () => '1' });
    return taskKeys(graph, { epoch: 0, versions: versions as never, sha256: (value) => createHash('sha256').update(value).digest('hex') }).get(data.task)?.key ?? '';
  };

  test('loads each image once, and hands everything to the engine', () => {
    const { tasks, data, facts, images } = planPreload('board', applications(), resolved(), inputs);
    expect(tasks.map(({ kind }) => kind)).toEqual(['preload/fetch', 'preload/store']);
    expect(tasks[1]).toMatchObject({ id: 'preload/board/store', args: { images, archives: ['image-eeeeeeeeeeeeeeee'], compose: 'compose.yaml' }, inputs: { engine: { from: 'task', task: 'engine', output: 'minke' }, pack: { from: 'tree', task: 'tree' }, 'image-eeeeeeeeeeeeeeee': { from: 'task', task: tasks[0]?.id, output: 'image.tar' } } });
    expect([data, facts]).toEqual([{ task: 'preload/board/store', output: 'data.tar' }, { task: 'preload/board/store', output: 'data.json' }]);
    expect(images).toEqual([{ reference: 'r.example/b:1', services: ['a'], digest: 'sha256:d', id: `sha256:${'e'.repeat(64)}` }]);
  });

  test('has another key for another image under the same tag, and for another compose file', () => {
    expect(keyOf()).toBe(keyOf());
    expect(keyOf(undefined, 'other')).not.toBe(keyOf());
    expect(keyOf('services: {a: {image: "r.example/b:1", user: x}}\n')).not.toBe(keyOf());
  });
});

test('a data partition has room for what is in it: blocks and files', () => {
  const mebibyte = 1024 ** 2;
  expect(dataBytes({ contentBytes: 100 * mebibyte, entries: 100 })).toBeGreaterThan(190 * mebibyte);
  expect(dataBytes({ contentBytes: mebibyte, entries: 100_000 })).toBeGreaterThan(100_000 * 16384);
});

test('images have package URLs', () => {
  expect(imageUrl({ reference: 'r.example:5000/team/web:1', digest: 'sha256:ab' })).toBe('pkg:oci/web@sha256%3Aab?repository_url=r.example%3A5000%2Fteam%2Fweb&tag=1');
  expect(imageUrl({ reference: 'busybox@sha256:cd', digest: 'sha256:ab' })).toBe('pkg:oci/busybox@sha256%3Aab?repository_url=busybox');
});
