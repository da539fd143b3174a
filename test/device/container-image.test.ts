import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';

import { busyboxImage } from '../../src/device/container-image.ts';

const program = Buffer.from('#!/bin/false\n'.repeat(100));
const archive = busyboxImage(program, 'localhost/boot-test:1', 'armv7hf');
const tar = (input: Buffer, ...words: string[]): Buffer => execFileSync('tar', words, { input });

test('GNU tar reads the archive and its layer', () => {
  const manifest = JSON.parse(tar(archive, '-xO', 'manifest.json').toString()) as { Config: string; RepoTags: string[]; Layers: string[] }[];
  const [image] = manifest;
  expect(image?.RepoTags).toEqual(['localhost/boot-test:1']);
  const config = JSON.parse(tar(archive, '-xO', image?.Config ?? '').toString()) as { architecture: string; variant: string; rootfs: { diff_ids: string[] } };
  expect(config).toMatchObject({ architecture: 'arm', variant: 'v7' });
  const layer = tar(archive, '-xO', image?.Layers[0] ?? '');
  expect(config.rootfs.diff_ids).toEqual([`sha256:${createHash('sha256').update(layer).digest('hex')}`]);
  expect(tar(layer, '-xO', 'bin/busybox')).toEqual(program);
  expect(tar(layer, '-tv').toString()).toMatch(/lrwxrwxrwx .* bin\/sh -> busybox/);
});

test('the same program makes the same archive', () => {
  expect(busyboxImage(program, 'localhost/boot-test:1', 'armv7hf')).toEqual(archive);
});
