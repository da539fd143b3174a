import { encode, text } from 'host:bytes';
import type { Cancellation } from '../ports/index.ts';
import { persistently, type UploadOptions } from './blob-upload.ts';
import { readDescriptor, type Descriptor } from './manifest.ts';
import { putManifest } from './manifest-upload.ts';
import { errorFromAnswer, RegistryError } from './registry-error.ts';
import type { Repository } from './repository.ts';
import { checkCancelled } from './retry.ts';
import { follow, origin, type Url } from './url.ts';

/** A manifest that says of itself that it belongs to another one, its subject (OCI distribution 1.1). */
export interface Referrer extends Descriptor {
  artifactType: string;
  annotations: Readonly<Record<string, string>>;
}

export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const LIMIT_BYTES = 4 * 1024 * 1024;
const ERROR_LIMIT_BYTES = 64 * 1024;
const PAGES_LIMIT = 20;
const ADD_ATTEMPTS = 3;

/** What refers to a manifest, of one type; undefined when the registry cannot tell. Throws for a cancelled pull alone. */
export async function listReferrers(repository: Repository, digest: string, artifactType: string, cancellation: Cancellation): Promise<Referrer[] | undefined> {
  const found: Referrer[] = [];
  let target: string | Url = `/v2/${repository.path}/referrers/${digest}?artifactType=${encodeURIComponent(artifactType)}`;
  try {
    for (let page = 0; page < PAGES_LIMIT; page += 1) {
      const reply = await repository.send(target, { method: 'GET', headers: { Accept: INDEX_TYPE } });
      const bytes = await reply.bytes(LIMIT_BYTES);
      if (reply.status !== 200) return undefined;
      found.push(...parseReferrers(text(bytes)));
      const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(reply.headers.get('link') ?? '');
      const next = link === null ? undefined : follow(reply.url, link[1] ?? '');
      if (next === undefined || origin(next) !== origin(reply.url)) break;
      target = next;
    }
  } catch {
    checkCancelled(cancellation);
    return undefined;
  }
  // A registry need not filter.
  return found.filter((referrer) => referrer.artifactType === artifactType);
}

/** The tag under which registries without that API have an index of what refers to a manifest. */
export function referrersTag(digest: string): string {
  return digest.replace(':', '-');
}

/** The same from that index; none when there is no such tag. */
export async function taggedReferrers(repository: Repository, digest: string, artifactType: string, cancellation: Cancellation): Promise<Referrer[]> {
  try {
    return ((await readTagged(repository, digest))?.referrers ?? []).filter((referrer) => referrer.artifactType === artifactType);
  } catch {
    checkCancelled(cancellation);
    return [];
  }
}

/** Adds to that index, unless it is there. Two clients that do so at the same time may lose one of them, so it is looked at again. */
export async function addTaggedReferrer(repository: Repository, subjectDigest: string, referrer: Referrer, options: UploadOptions): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const present = await persistently(options, () => readTagged(repository, subjectDigest));
    if (present?.referrers.some(({ digest }) => digest === referrer.digest) === true) return;
    if (attempt > ADD_ATTEMPTS) throw new RegistryError('REFERRERS', `the registry does not keep ${referrersTag(subjectDigest)}, its list of what refers to ${subjectDigest}`);
    const { mediaType, digest, sizeBytes: size, artifactType, annotations } = referrer;
    const manifests = [...(present?.manifests ?? []), { mediaType, digest, size, artifactType, annotations }];
    await putManifest(repository, referrersTag(subjectDigest), { mediaType: INDEX_TYPE, text: JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests }) }, options);
  }
}

/** `manifests`: as they stand there, so that what other clients have written is kept. */
async function readTagged(repository: Repository, digest: string): Promise<{ manifests: unknown[]; referrers: Referrer[] } | undefined> {
  const reply = await repository.send(`/v2/${repository.path}/manifests/${referrersTag(digest)}`, { method: 'GET', headers: { Accept: INDEX_TYPE } });
  if (reply.status !== 200) {
    const body = text(await reply.bytes(ERROR_LIMIT_BYTES).catch(() => encode('')));
    if (reply.status === 404) return undefined;
    throw errorFromAnswer(reply.status, body, reply.headers.get('retry-after'));
  }
  const manifests = indexed(text(await reply.bytes(LIMIT_BYTES)));
  return { manifests, referrers: manifests.map(readReferrer) };
}

/** Throws RegistryError 'MANIFEST_INVALID' for what is no index. */
export function parseReferrers(document: string): Referrer[] {
  return indexed(document).map(readReferrer);
}

function indexed(document: string): unknown[] {
  let manifests: unknown;
  try {
    manifests = (JSON.parse(document) as { manifests?: unknown } | null)?.manifests;
  } catch {
    manifests = undefined;
  }
  if (!Array.isArray(manifests)) throw new RegistryError('MANIFEST_INVALID', 'the registry’s list of referrers is no index');
  return manifests;
}

function readReferrer(value: unknown): Referrer {
  const { artifactType, annotations } = (value ?? {}) as { artifactType?: unknown; annotations?: unknown };
  const texts = typeof annotations === 'object' && annotations !== null ? Object.entries(annotations).filter((entry): entry is [string, string] => typeof entry[1] === 'string') : [];
  return { ...readDescriptor(value), artifactType: typeof artifactType === 'string' ? artifactType : '', annotations: Object.fromEntries(texts) };
}
