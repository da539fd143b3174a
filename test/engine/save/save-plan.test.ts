import { describe, expect, it } from 'vitest';
import type { Image } from '../../../src/engine/images/index.ts';
import { planSave, selectImages } from '../../../src/engine/save/index.ts';
import { sha256 } from '../support/docker-archive.ts';

const layer = (digit: string): string => `sha256:${digit.repeat(64)}`;
const configText = (layers: string[]): string => JSON.stringify({ architecture: 'arm', variant: 'v7', os: 'linux', created: '2024-01-02T03:04:05.6Z', rootfs: { type: 'layers', diff_ids: layers } });
const imageOf = (layers: string[], names: string[]): Image => ({ id: `sha256:${sha256(configText(layers))}`, diffIds: layers, names });
const one = imageOf([layer('a'), layer('b')], ['docker.io/library/app:1', 'docker.io/library/app:2', `docker.io/library/app@${layer('9')}`]);
const two = imageOf([layer('a'), layer('a'), layer('c')], ['host:5000/team/app:1']);
const store = {
  all: () => [one, two],
  find: (text: string) => [one, two].find(({ id, names }) => id.startsWith(text) || names.includes(text) || names.includes(`docker.io/library/${text}`)),
};
const references = (...names: string[]): string[][] => selectImages(names, store).map((selection) => selection.references.map(({ domain, path, tag }) => `${domain}/${path}:${tag ?? ''}`));

describe('what is named to be saved', () => {
  it('is a tag, all tags of a repository, or an image alone', () => {
    expect(references('app:2')).toEqual([['docker.io/library/app:2']]);
    expect(references('app')).toEqual([['docker.io/library/app:1', 'docker.io/library/app:2']]);
    expect(references('app:1', 'app', 'app:1', 'host:5000/team/app:1')).toEqual([['docker.io/library/app:1', 'docker.io/library/app:2'], ['host:5000/team/app:1']]);
    expect(references(two.id)).toEqual([[]]);
    expect(() => references('nothing')).toThrow('No such image: nothing');
  });
});

describe('the archive', () => {
  const plan = planSave(selectImages(['app', 'host:5000/team/app:1'], store), (id) => configText([...(id === one.id ? one : two).diffIds]), () => 1024);
  const text = (path: string): string => {
    const file = plan.files.find((candidate) => candidate.path === path);
    return file !== undefined && 'content' in file ? Buffer.from(file.content).toString() : '';
  };
  it('has each layer once, and every blob under its hash', () => {
    const paths = plan.files.map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    expect(plan.diffIds).toEqual([layer('a'), layer('b'), layer('c')]);
    for (const file of plan.files) {
      if (!file.path.startsWith('blobs/')) continue;
      expect(file.path).toBe(`blobs/sha256/${'diffId' in file ? file.diffId.slice(7) : sha256(Buffer.from(file.content))}`);
      expect(file.mtimeSeconds).toBe(1_704_164_645);
    }
  });
  it('names images in both of its tables of contents', () => {
    const docker = JSON.parse(text('manifest.json')) as { Config: string; RepoTags: string[]; Layers: string[] }[];
    expect(docker.map(({ Config, RepoTags, Layers }) => [Config, RepoTags, Layers.length])).toEqual([
      [`blobs/sha256/${one.id.slice(7)}`, ['app:1', 'app:2'], 2],
      [`blobs/sha256/${two.id.slice(7)}`, ['host:5000/team/app:1'], 3],
    ]);
    const index = JSON.parse(text('index.json')) as { manifests: { digest: string; annotations: Record<string, string>; platform: object }[] };
    expect(index.manifests.map(({ annotations }) => annotations['io.containerd.image.name'])).toEqual(['docker.io/library/app:1', 'docker.io/library/app:2', 'host:5000/team/app:1']);
    expect(index.manifests[0]?.platform).toEqual({ architecture: 'arm', os: 'linux', variant: 'v7' });
    const manifest = JSON.parse(text(`blobs/sha256/${index.manifests[2]?.digest.slice(7) ?? ''}`)) as { layers: { digest: string; size: number }[] };
    expect(manifest.layers.map(({ digest, size }) => [digest, size])).toEqual([[layer('a'), 1024], [layer('a'), 1024], [layer('c'), 1024]]);
    expect(JSON.parse(text('repositories'))).toEqual({ app: { '1': 'b'.repeat(64), '2': 'b'.repeat(64) }, 'host:5000/team/app': { '1': 'c'.repeat(64) } });
  });
});
