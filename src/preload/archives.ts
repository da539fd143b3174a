import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';

// Not in that folder's index: what changes there makes every image anew.
import { indexTar, type TarEntry } from '../image/tar-index.ts';
import { OsbuildError } from '../model/index.ts';
import type { Platform } from './platform.ts';

/** An image in an archive. */
export interface ArchivedImage {
  file: string;
  names: string[];
  digest: string;
  id: string;
  platform: Platform;
}

interface Descriptor {
  digest?: string;
  annotations?: Record<string, string>;
}

const limitBytes = 4 << 20;

/** The images of an archive: of `docker save`, or an OCI image layout. @throws OSB_CONFIG_INVALID */
export function openImages(file: string): ArchivedImage[] {
  const invalid = (why: string, cause?: unknown): OsbuildError => new OsbuildError('OSB_CONFIG_INVALID', `${file} is no archive of images: ${why}`, { hint: '`docker save` and `minke save` make them; a compressed one has to be decompressed', cause });
  let entries: Map<string, TarEntry>;
  try {
    entries = indexTar(file);
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === 'ENOENT' ? new OsbuildError('OSB_CONFIG_INVALID', `there is no file ${file}, which preload.archives names`, { cause }) : invalid((cause as Error).message, cause);
  }
  const text = (path: string): string => {
    const entry = entries.get(path);
    if (entry?.type !== 'file') throw invalid(`it lacks ${path}`);
    if (entry.sizeBytes > limitBytes) throw invalid(`${path} has ${entry.sizeBytes} bytes`);
    const bytes = Buffer.alloc(entry.sizeBytes);
    const fd = openSync(file, 'r');
    try {
      readSync(fd, bytes, 0, bytes.length, entry.offset);
    } finally {
      closeSync(fd);
    }
    return bytes.toString('utf8');
  };
  const json = <T>(content: string, what: string): T => {
    try {
      return JSON.parse(content) as T;
    } catch (cause) {
      throw invalid(`${what} is not JSON`, cause);
    }
  };
  const blob = (digest: string): string => text(`blobs/${digest.replace(':', '/')}`);
  const image = (names: string[], digest: string, configText: string): ArchivedImage => {
    const { os, architecture, variant } = json<Platform>(configText, 'a configuration');
    const id = `sha256:${createHash('sha256').update(configText).digest('hex')}`;
    return { file, names, digest: digest === '' ? id : digest, id, platform: { ...(os === undefined ? {} : { os }), ...(architecture === undefined ? {} : { architecture }), ...(variant === undefined ? {} : { variant }) } };
  };
  if (entries.has('manifest.json')) {
    return json<Array<{ Config: string; RepoTags?: string[] | null }>>(text('manifest.json'), 'manifest.json').map(({ Config, RepoTags }) => image(RepoTags ?? [], '', text(Config)));
  }
  if (!entries.has('index.json')) throw invalid('it has neither manifest.json nor index.json');
  const read = ({ digest = '', annotations = {} }: Descriptor, names: string[]): ArchivedImage[] => {
    const own = [...names, ...[annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name']].filter((name): name is string => name !== undefined && name.includes(':'))];
    const { manifests, config } = json<{ manifests?: Descriptor[]; config?: Descriptor }>(blob(digest), digest);
    if (manifests !== undefined) return manifests.flatMap((child) => read(child, own));
    return [image(own, digest, blob(config?.digest ?? ''))];
  };
  return (json<{ manifests?: Descriptor[] }>(text('index.json'), 'index.json').manifests ?? []).flatMap((descriptor) => read(descriptor, []));
}
