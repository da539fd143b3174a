import { describe, expect, it } from 'vitest';
import { parseDockerManifest, promisedDigest, readOciIndex } from '../../../src/engine/images/archive-manifest.ts';
import { choosePlatform } from '../../../src/engine/images/platform.ts';
import { entryPath } from '../../../src/engine/images/entry-path.ts';
import { parseImageConfig } from '../../../src/engine/images/image-config.ts';
import { canonicalName, familiarName, parseReference, withDefaultTag } from '../../../src/engine/images/index.ts';
import { classifyWhiteout } from '../../../src/engine/images/whiteouts.ts';

describe('references', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  it.each([
    ['busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
    ['user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['index.docker.io/user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
    ['localhost:5000/a/b/c:t', 'localhost:5000/a/b/c:t', 'localhost:5000/a/b/c:t'],
    ['[::1]:5000/app', '[::1]:5000/app:latest', '[::1]:5000/app:latest'],
    [`busybox@${digest}`, `docker.io/library/busybox@${digest}`, `busybox@${digest}`],
    [`ghcr.io/a/b:t@${digest}`, `ghcr.io/a/b:t@${digest}`, `ghcr.io/a/b:t@${digest}`],
  ])('%s is %s', (text, canonical, familiar) => {
    const reference = withDefaultTag(parseReference(text));
    expect(canonicalName(reference)).toBe(canonical);
    expect(familiarName(reference)).toBe(familiar);
  });

  it.each(['', 'Busybox', 'a//b', 'a:', 'a:b:c', '-a', 'a@sha256:12', 'a/../b', 'a b', '0'.repeat(64), `x${'y'.repeat(300)}`])('refuses %j', (text) => {
    expect(() => parseReference(text)).toThrow(/invalid re/);
  });
});

describe('names in layers', () => {
  it('stay below the root', () => {
    expect(entryPath('./a//b/./c/')).toBe('a/b/c');
    expect(entryPath('/etc/passwd')).toBe('etc/passwd');
    expect(entryPath('a/../b')).toBe('b');
    expect(entryPath('./')).toBe('');
    expect(() => entryPath('a/../../b')).toThrow('points outside');
  });

  it('mark removals', () => {
    expect(classifyWhiteout('a/b')).toEqual({ kind: 'content' });
    expect(classifyWhiteout('a/.wh.b')).toEqual({ kind: 'removal', path: 'a/b' });
    expect(classifyWhiteout('.wh.b')).toEqual({ kind: 'removal', path: 'b' });
    expect(classifyWhiteout('a/.wh..wh..opq')).toEqual({ kind: 'opaque', directory: 'a' });
    expect(classifyWhiteout('.wh..wh.plnk')).toEqual({ kind: 'ignored' });
    expect(classifyWhiteout('a/.wh...')).toEqual({ kind: 'ignored' });
    expect(classifyWhiteout('a/.whatever')).toEqual({ kind: 'content' });
  });
});

describe('manifests', () => {
  const digestOf = (digit: string): string => `sha256:${digit.repeat(64)}`;
  const blobOf = (digit: string): string => `blobs/sha256/${digit.repeat(64)}`;
  const armv7 = { architecture: 'arm', variant: 'v7' };

  it('are read from docker save', () => {
    expect(parseDockerManifest('[{"Config":"./c.json","RepoTags":null,"Layers":["a/layer.tar"]}]')).toEqual([{ configPath: 'c.json', layerPaths: ['a/layer.tar'], names: [] }]);
    for (const bad of ['{}', '[{}]', 'x', '[{"Config":"c","Layers":[1]}]']) expect(() => parseDockerManifest(bad)).toThrow('not an image archive');
  });

  it('are found through nested indexes by platform', () => {
    const blobs = new Map([
      [blobOf('a'), JSON.stringify({ manifests: [{ digest: digestOf('b'), platform: { os: 'linux', architecture: 'arm', variant: 'v6' } }, { digest: digestOf('c'), platform: { os: 'linux', architecture: 'amd64' } }] })],
      [blobOf('b'), JSON.stringify({ config: { digest: digestOf('d') }, layers: [{ digest: digestOf('e') }] })],
    ]);
    const index = JSON.stringify({ manifests: [{ digest: digestOf('a'), annotations: { 'io.containerd.image.name': 'docker.io/library/x:1' } }] });
    expect(readOciIndex(index, (path) => blobs.get(path), armv7)).toEqual([{ configPath: blobOf('d'), layerPaths: [blobOf('e')], names: ['docker.io/library/x:1'] }]);
    expect(() => readOciIndex(index, (path) => blobs.get(path), { architecture: 's390x', variant: '' })).toThrow('no image for linux/s390x');
    const loop = JSON.stringify({ manifests: [{ digest: digestOf('a'), platform: { os: 'linux', architecture: 'arm' } }] });
    expect(() => readOciIndex(loop, () => loop, armv7)).toThrow('nested too deeply');
  });

  it('give the best variant that the machine can run', () => {
    const descriptors = ['v5', 'v6', 'v7', 'v8'].map((variant) => ({ digest: variant, platform: { os: 'linux', architecture: 'arm', variant } }));
    expect(choosePlatform(descriptors, armv7)?.digest).toBe('v7');
    expect(choosePlatform(descriptors, { architecture: 'arm', variant: 'v5' })?.digest).toBe('v5');
    expect(choosePlatform(descriptors.slice(2), { architecture: 'arm', variant: 'v6' })).toBeUndefined();
  });

  it('promise digests by their paths', () => {
    expect(promisedDigest(blobOf('a'))).toBe(digestOf('a'));
    expect(promisedDigest(`${'b'.repeat(64)}.json`)).toBe(digestOf('b'));
    expect(promisedDigest('x/layer.tar')).toBeUndefined();
  });

  it('have a configuration with layers', () => {
    expect(() => parseImageConfig('{}')).toThrow('names no layers');
    expect(() => parseImageConfig('{"rootfs":{"diff_ids":["md5:1"]}}')).toThrow('no SHA-256 diffID');
    expect(() => parseImageConfig('{"rootfs":{"diff_ids":[]},"config":{"Env":"A=b"}}')).toThrow('Env is not a list');
    expect(() => parseImageConfig(JSON.stringify({ rootfs: { diff_ids: Array.from({ length: 200 }, () => digestOf('a')) } }))).toThrow('200 layers');
  });
});
