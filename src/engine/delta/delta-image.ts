import { encode } from 'host:bytes';
import { TAR_END, tarHeaderBlocks, tarPadding, type TarMember } from '../archive/index.ts';
import { EngineError } from '../error.ts';
import type { ImageConfig, ManifestFormat } from '../images/index.ts';
import type { ByteSource, Files } from '../ports/index.ts';
import { VERSION } from './container.ts';

/** What the labels of a delta image say. */
export interface DeltaDescription {
  baseId: string;
  /** Lowest first, each once. */
  baseDiffIds: readonly string[];
  targetId: string;
  /** Of the target's manifest. */
  format: ManifestFormat;
}

const LABEL = 'dev.minke.delta';
/** Type of its manifest where that refers to the target's, and what it says there: ids of images. */
export const DELTA_ARTIFACT = 'application/vnd.minke.delta.v1';
export const DELTA_BASE = `${LABEL}.base`;
export const DELTA_TARGET = `${LABEL}.target`;
const CHUNK_BYTES = 64 * 1024;
/** In the one layer of a delta image: the target's configuration, then a delta for each layer that the base does not have. */
export const CONFIG_PATH = 'delta/config.json';
export const DELTA_PATH = /^delta\/\d{4}\.delta$/;

export function formatDeltaConfig(target: ImageConfig, { baseId, baseDiffIds, targetId, format }: DeltaDescription, diffId: string): string {
  const config: ImageConfig = {
    ...(target.created === undefined ? {} : { created: target.created }),
    architecture: target.architecture,
    ...(target.variant === undefined ? {} : { variant: target.variant }),
    os: target.os,
    config: { Labels: { [LABEL]: String(VERSION), [DELTA_BASE]: baseId, [`${LABEL}.base-layers`]: baseDiffIds.join(','), [DELTA_TARGET]: targetId, [`${LABEL}.manifest`]: format } },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ ...(target.created === undefined ? {} : { created: target.created }), comment: 'delta' }],
  };
  return JSON.stringify(config);
}

/** Undefined when the image is no delta. Throws EngineError 'DELTA_VERSION' or 'DELTA_DAMAGED'. */
export function describeDelta({ config, rootfs }: ImageConfig): DeltaDescription | undefined {
  const labels = config?.Labels;
  const version = labels?.[LABEL];
  if (labels === undefined || labels === null || version === undefined) return undefined;
  if (version !== String(VERSION)) {
    throw new EngineError('invalid', 'DELTA_VERSION', `this delta has format ${JSON.stringify(version)}, and this engine knows ${VERSION}`, { hint: 'update the engine, or pull the image without a delta' });
  }
  const baseId = labels[DELTA_BASE] ?? '';
  const targetId = labels[DELTA_TARGET] ?? '';
  const layers = labels[`${LABEL}.base-layers`] ?? '';
  const baseDiffIds = layers === '' ? [] : layers.split(',');
  if (![baseId, targetId, ...baseDiffIds].every((digest) => /^sha256:[0-9a-f]{64}$/.test(digest)) || rootfs.diff_ids.length !== 1) {
    throw new EngineError('invalid', 'DELTA_DAMAGED', 'the delta is damaged: its labels do not say what it is for');
  }
  return { baseId, baseDiffIds, targetId, format: labels[`${LABEL}.manifest`] === 'oci' ? 'oci' : 'docker' };
}

/** The layer of a delta image, read from files on disk. */
export function deltaArchive(files: Files, configText: string, paths: readonly string[]): ByteSource {
  const parts = deltaParts(files, configText, paths);
  return {
    read() {
      const { value, done } = parts.next();
      return Promise.resolve(done === true ? null : value);
    },
  };
}

function* deltaParts(files: Files, configText: string, paths: readonly string[]): Generator<Uint8Array> {
  const config = encode(configText);
  yield tarHeaderBlocks(member('delta/', 'directory', 0));
  yield tarHeaderBlocks(member(CONFIG_PATH, 'file', config.length));
  yield config;
  if (config.length % 512 > 0) yield tarPadding(config.length);
  for (const [index, path] of paths.entries()) {
    const fd = files.open(path, 'read');
    try {
      const { sizeBytes } = files.fstat(fd);
      yield tarHeaderBlocks(member(`delta/${String(index).padStart(4, '0')}.delta`, 'file', sizeBytes));
      for (;;) {
        const chunk = new Uint8Array(CHUNK_BYTES);
        const length = files.read(fd, chunk);
        if (length === 0) break;
        yield chunk.subarray(0, length);
      }
      if (sizeBytes % 512 > 0) yield tarPadding(sizeBytes);
    } finally {
      files.close(fd);
    }
  }
  yield TAR_END;
}

function member(path: string, type: 'file' | 'directory', sizeBytes: number): TarMember {
  return { path, type, mode: type === 'file' ? 0o644 : 0o755, uid: 0, gid: 0, sizeBytes, mtimeSeconds: 0, mtimeNanoseconds: 0, linkPath: '', deviceMajor: 0, deviceMinor: 0, xattrs: new Map() };
}

/** Under which tag of the image's repository a delta is found by those who pull the target: sixteen digits of each id. */
export function deltaTag(baseId: string, targetId: string): string {
  const digits = (id: string): string => id.slice('sha256:'.length, 'sha256:'.length + 16);
  return `delta-${digits(baseId)}-${digits(targetId)}`;
}
