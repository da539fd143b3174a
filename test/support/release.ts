import { createHash, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

import { imageConfig, ociArchive, sha256 } from '../engine/support/docker-archive.ts';
import { tarFile, tarFolder, tarOf } from '../engine/support/tar-writer.ts';

/** Content that does not compress, the same each time. */
export const noise = (sizeBytes: number, seed: string): Buffer => createHash('shake256', { outputLength: sizeBytes }).update(seed).digest();

export interface TestRelease {
  file: string;
  imageId: string;
  /** Of blobs, as they are put into a registry. */
  totalBytes: number;
  /** Of each layer. */
  layerBytes: number[];
}

/** Writes an OS image as `osbuild image` does, small: most of its root stays from version to version. */
export function writeRelease(file: string, version: string, { machine = 'board', key, noiseBytes = 2_000_000, kernelBytes = 500_000 }: { machine?: string; key?: string; noiseBytes?: number; kernelBytes?: number } = {}): TestRelease {
  const root = tarOf([tarFolder('usr'), tarFile('usr/shared', noise(noiseBytes, 'shared')), tarFile('usr/program', Buffer.concat([noise(300_000, 'program'), Buffer.from(`version ${version}`)])), tarFile('etc/os-release', `VERSION_ID=${version}\n`)]);
  const boot = tarOf([tarFolder('boot'), tarFile('boot/kernel', noise(kernelBytes, 'kernel')), tarFile('boot/initrd', noise(40_000, `initrd ${version}`))]);
  const text = JSON.stringify({ format: 1, machine, os: { name: 'Minke OS', id: 'minke', version }, mode: 'production', commandLine: [], loader: 'systemd-boot', slot: { argv: ['true'], sha256: sha256(root), sizeBytes: root.length }, layers: { root: sha256(root), boot: sha256(boot) } });
  const signatures = key === undefined ? {} : { 'io.minke.os.signatures': JSON.stringify([sign('sha256', Buffer.from(text), key).toString('base64')]) };
  const config = imageConfig([root, boot], { Labels: { 'io.minke.os.release': text, ...signatures } });
  const layers = [root, boot].map((tar) => ({ tar, blob: gzipSync(tar) }));
  writeFileSync(file, ociArchive(`minke:${machine}-${version}`, layers, { config, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }));
  const layerBytes = layers.map(({ blob }) => blob.length);
  return { file, imageId: `sha256:${sha256(config)}`, layerBytes, totalBytes: layerBytes.reduce((sum, bytes) => sum + bytes, Buffer.byteLength(config)) };
}
