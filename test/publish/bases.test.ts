import { expect, test } from 'vitest';

import { compareDebianVersions } from '../../src/advisories/index.ts';
import { chooseBases, type HeldRelease } from '../../src/publish/index.ts';

const held = (version: string, machine = 'board', imageId = `${machine} ${version}`): HeldRelease =>
  ({ imageId, machine, version, mode: 'production', text: '', signatures: [], reference: version, manifest: { mediaType: '', digest: '', sizeBytes: 0, config: null, layers: [], artifactType: null, subject: null, text: '' } });
const choose = (target: HeldRelease, releases: HeldRelease[], count: number): string[] => chooseBases(target, releases, count, compareDebianVersions).map(({ imageId }) => imageId);

test('deltas are made from the last releases of the same machine, the newest first', () => {
  const releases = ['1.9.0', '1.10.0', '1.2.0', '1.10.0~rc1', '2.0.0'].map((version) => held(version));
  expect(choose(held('1.11.0'), [...releases, held('1.10.5', 'other')], 3)).toEqual(['board 1.10.0', 'board 1.10.0~rc1', 'board 1.9.0']);
  expect(choose(held('1.11.0'), releases, 0)).toEqual([]);
});

test('the release itself is none of them, another image of its version is', () => {
  expect(choose(held('1.0.0', 'board', 'b'), [held('1.0.0', 'board', 'a'), held('1.0.0', 'board', 'b')], 3)).toEqual(['a']);
});
