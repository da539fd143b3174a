import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';

import { download, GoneError } from '../downloads/index.ts';
import type { HttpClient } from '../http/index.ts';
import { connect, type Connection } from './connection.ts';
import { isLostUpload, persistently, readBytes, refusal, registryFailure, RegistryAnswer } from './failure.ts';
import type { Login } from './login.ts';
import { formatImageName, registryHost, tagPattern, type ImageName } from './name.ts';

export interface Descriptor {
  mediaType: string;
  /** `sha256:…` */
  digest: string;
  sizeBytes: number;
}

/** What stands under a tag or a digest: an image, an artifact, or an index (without a configuration). */
export interface Manifest extends Descriptor {
  config: Descriptor | null;
  layers: Descriptor[];
  artifactType: string | null;
  /** Digest of the manifest that it refers to. */
  subject: string | null;
  /** As it stands there. */
  text: string;
}

/** A blob to be put there. */
export interface Blob {
  digest: string;
  sizeBytes: number;
  /** Its bytes from one of them on. */
  open(from: number): Readable;
}

/** One repository of a registry. Methods throw OSB_REGISTRY with what can be done about it. */
export interface Repository {
  /** Without tag and digest. */
  readonly name: ImageName;
  /** All tags; none where the repository is not there yet. */
  tags(): Promise<string[]>;
  /** By tag or digest, checked; null where there is none. */
  manifest(reference: string): Promise<Manifest | null>;
  /** A small blob's text, checked. */
  text(blob: Descriptor): Promise<string>;
  /** Loads a blob into a file, going on from what stands there, and checks it. */
  load(blob: Descriptor, file: string, received: (bytes: number) => void): Promise<void>;
  /** Puts a blob there unless it is; resolves with whether it was sent. */
  put(blob: Blob, sent: (bytes: number) => void): Promise<boolean>;
  /** Puts a manifest there. `noted`: that the registry has seen to what it refers to. */
  putManifest(reference: string, manifest: { mediaType: string; text: string }): Promise<{ digest: string; sizeBytes: number; noted: boolean }>;
}

export interface RepositorySettings {
  client: HttpClient;
  login: Login | null;
  insecure: boolean;
  /** Whether anything will be put there. */
  push: boolean;
  signal: AbortSignal;
  /** Pauses before the next attempt after failures that may pass. */
  retryDelaysMs?: readonly number[];
}

const defaultRetryDelaysMs = [500, 2000, 5000, 10_000];
const documentLimitBytes = 4 << 20;
/** Blobs up to here go in one request. */
const smallBytes = 1 << 20;
const pagesLimit = 1000;
const oci = 'application/vnd.oci.image';
const docker = 'application/vnd.docker.distribution.manifest';
const accepted = [`${oci}.manifest.v1+json`, `${oci}.index.v1+json`, `${docker}.v2+json`, `${docker}.list.v2+json`].join(', ');

const sha256 = (data: Buffer | string): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;

/** Makes the connection. @throws OSB_REGISTRY */
export async function openRepository({ registry, path }: ImageName, { client, login, insecure, push, signal, retryDelaysMs = defaultRetryDelaysMs }: RepositorySettings): Promise<Repository> {
  const name: ImageName = { registry, path };
  const guarded = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (error) {
      throw registryFailure(error, formatImageName(name), { loggedIn: login !== null, signal });
    }
  };
  const again = <T>(action: (progressed: () => void) => Promise<T>): Promise<T> => guarded(() => persistently(retryDelaysMs, signal, action));
  const scope = `repository:${path}:${push ? 'pull,push' : 'pull'}`;
  // Where nobody answers it is said soon.
  const connection = await guarded(() => persistently(retryDelaysMs.slice(0, 2), signal, () => connect(registryHost(name), { client, login, insecure, scope, signal })));
  const root = `/v2/${path}`;

  return {
    name,
    tags: () => again(() => listTags(connection, root)),
    manifest: (reference) => again(() => getManifest(connection, root, reference)),
    text: (blob) =>
      again(async () => {
        const response = await connection.send(`${root}/blobs/${blob.digest}`, {});
        if (response.statusCode !== 200) throw await refusal(response, `GET ${blob.digest}`);
        const bytes = await readBytes(response, documentLimitBytes);
        if (sha256(bytes) !== blob.digest) throw new RegistryAnswer(0, [], `the registry sends something else as ${blob.digest}`);
        return bytes.toString('utf8');
      }),
    load: (blob, file, received) =>
      guarded(async () => {
        await mkdir(dirname(file), { recursive: true });
        // Transfers of files know nothing of logins.
        const asked: HttpClient = { request: (url, { method, headers }) => connection.send(url, { ...(method === undefined ? {} : { method }), ...(headers === undefined ? {} : { headers }) }), close: () => undefined };
        const words = { server: 'the registry', promise: 'its digest', damagedHint: 'the registry’s copy is damaged: push that image again', failedHint: 'what has come is kept: run it again' };
        const wanted = { name: blob.digest, url: `${connection.origin}${root}/blobs/${blob.digest}`, sizeBytes: blob.sizeBytes, sha256: blob.digest.slice('sha256:'.length), words };
        await download(wanted, file, { client: asked, signal, retryDelaysMs: [...retryDelaysMs], received }).catch((error: unknown) => {
          throw error instanceof GoneError ? new RegistryAnswer(404, ['BLOB_UNKNOWN'], `the registry lacks ${blob.digest}, which an image there consists of`) : error;
        });
      }),
    put: (blob, sent) => guarded(async () => {
      if (await again(() => hasBlob(connection, root, blob.digest))) return false;
      await upload(connection, root, blob, sent, (action) => persistently(retryDelaysMs, signal, action));
      return true;
    }),
    putManifest: (reference, { mediaType, text }) =>
      again(async () => {
        const content = Buffer.from(text);
        const response = await connection.send(`${root}/manifests/${reference}`, { method: 'PUT', headers: { 'Content-Type': mediaType }, body: () => ({ content, sizeBytes: content.length }) });
        if (response.statusCode !== 201 && response.statusCode !== 200 && response.statusCode !== 202) throw await refusal(response, `PUT ${root}/manifests/${reference}`);
        response.resume();
        return { digest: sha256(content), sizeBytes: content.length, noted: response.headers['oci-subject'] !== undefined };
      }),
  };
}

async function listTags(connection: Connection, root: string): Promise<string[]> {
  const found: string[] = [];
  let target: string | null = `${root}/tags/list?n=1000`;
  for (let page = 0; target !== null && page < pagesLimit; page += 1) {
    const response = await connection.send(target, {});
    if (response.statusCode === 404) {
      response.resume();
      return found;
    }
    if (response.statusCode !== 200) throw await refusal(response, `GET ${root}/tags/list`);
    const tags = parseTags((await readBytes(response, documentLimitBytes)).toString('utf8'));
    found.push(...tags.filter((tag) => tagPattern.test(tag)));
    const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec([response.headers.link ?? []].flat().join(', '))?.[1];
    const url: URL | null = next === undefined ? null : new URL(next, `${connection.origin}${root}/tags/list`);
    target = url !== null && url.origin === connection.origin ? `${url.pathname}${url.search}` : null;
  }
  return [...new Set(found)];
}

function parseTags(text: string): string[] {
  try {
    const { tags } = JSON.parse(text) as { tags?: unknown };
    return Array.isArray(tags) ? tags.map(String) : [];
  } catch {
    throw new RegistryAnswer(0, [], 'the registry sends a list of tags that cannot be read');
  }
}

async function getManifest(connection: Connection, root: string, reference: string): Promise<Manifest | null> {
  const response = await connection.send(`${root}/manifests/${reference}`, { headers: { Accept: accepted } });
  if (response.statusCode === 404) {
    response.resume();
    return null;
  }
  if (response.statusCode !== 200) throw await refusal(response, `GET ${root}/manifests/${reference}`);
  const bytes = await readBytes(response, documentLimitBytes);
  if (reference.startsWith('sha256:') && sha256(bytes) !== reference) throw new RegistryAnswer(0, [], `the registry sends something else as ${reference}`);
  return readManifest(bytes.toString('utf8'), response.headers['content-type'] ?? '');
}

/** @throws RegistryAnswer for what is no manifest */
function readManifest(text: string, contentType: string): Manifest {
  const invalid = (): RegistryAnswer => new RegistryAnswer(0, ['MANIFEST_INVALID'], 'the registry sends a manifest that cannot be read');
  const descriptor = (value: unknown): Descriptor => {
    const { mediaType, digest, size } = (value ?? {}) as { mediaType?: unknown; digest?: unknown; size?: unknown };
    if (typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest) || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid();
    return { mediaType: typeof mediaType === 'string' ? mediaType : '', digest, sizeBytes: size };
  };
  let document: { mediaType?: unknown; config?: unknown; layers?: unknown; artifactType?: unknown; subject?: { digest?: unknown } | null } | null;
  try {
    document = JSON.parse(text) as typeof document;
  } catch {
    throw invalid();
  }
  if (typeof document !== 'object' || document === null) throw invalid();
  const { mediaType, config, layers, artifactType, subject } = document;
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : contentType.replace(/;.*$/, '').trim(),
    digest: sha256(text),
    sizeBytes: Buffer.byteLength(text),
    config: config === undefined || config === null ? null : descriptor(config),
    layers: Array.isArray(layers) ? layers.map(descriptor) : [],
    artifactType: typeof artifactType === 'string' ? artifactType : null,
    subject: typeof subject?.digest === 'string' ? subject.digest : null,
    text,
  };
}

async function hasBlob(connection: Connection, root: string, digest: string): Promise<boolean> {
  const response = await connection.send(`${root}/blobs/${digest}`, { method: 'HEAD' });
  response.resume();
  if (response.statusCode === 200) return true;
  if (response.statusCode === 404) return false;
  throw new RegistryAnswer(response.statusCode ?? 0, [], `HEAD ${digest} was answered with ${response.statusCode ?? 0}`);
}

/** Where an upload goes on: the registry's address for what follows, and how much it has. */
interface Upload {
  location: string;
  offset: number;
}

/** Sends a blob. When the connection breaks, what the registry has got is not sent again. */
async function upload(connection: Connection, root: string, blob: Blob, sent: (bytes: number) => void, again: <T>(action: (progressed: () => void) => Promise<T>) => Promise<T>): Promise<void> {
  let state: Upload | null = null;
  let furthest = 0;
  await again(async (progressed) => {
    if (state !== null) state = await standing(connection, state).catch(() => null);
    if (state !== null && state.offset > furthest) {
      furthest = state.offset;
      progressed();
    }
    state ??= { location: await next(await connection.send(`${root}/blobs/uploads/`, { method: 'POST' }), 202, root, connection), offset: 0 };
    try {
      const headers = { 'Content-Type': 'application/octet-stream' };
      const body = counted(blob, state.offset, sent);
      const whole = state.offset === 0 && blob.sizeBytes <= smallBytes;
      if (!whole && state.offset < blob.sizeBytes) {
        const location = await next(await connection.send(state.location, { method: 'PATCH', headers, body }), 202, root, connection);
        state = { location, offset: blob.sizeBytes };
      }
      const end = new URL(state.location, connection.origin);
      end.searchParams.set('digest', blob.digest);
      await next(await connection.send(end.href, { method: 'PUT', headers, body: whole ? body : () => ({ content: Buffer.alloc(0), sizeBytes: 0 }) }), 201, root, connection);
    } catch (error) {
      if (isLostUpload(error)) state = null;
      throw error;
    }
  });
}

function counted(blob: Blob, from: number, sent: (bytes: number) => void): NonNullable<Parameters<Connection['send']>[1]['body']> {
  return () => {
    const content = blob.open(from);
    content.on('data', (part: Buffer) => sent(part.length));
    content.pause();
    return { content, sizeBytes: blob.sizeBytes - from };
  };
}

/** How much the registry has of an upload; null where it has nothing that could be gone on with. */
async function standing(connection: Connection, { location }: Upload): Promise<Upload | null> {
  const response = await connection.send(location, {});
  response.resume();
  const range = /^(?:bytes=)?0-(\d{1,15})$/.exec(response.headers.range ?? '');
  // `0-0` says that there is nothing as well as one byte: either way it is begun anew.
  if (response.statusCode !== 204 || range === null || range[1] === '0') return null;
  return { location: response.headers.location === undefined ? location : new URL(response.headers.location, connection.origin).href, offset: Number(range[1]) + 1 };
}

/** The address for what follows. Some answer 204 to the end of an upload. */
async function next(response: Awaited<ReturnType<Connection['send']>>, wanted: 201 | 202, root: string, connection: Connection): Promise<string> {
  const status = response.statusCode ?? 0;
  if (status !== wanted && !(wanted === 201 && status === 204)) throw await refusal(response, `an upload to ${root}`);
  response.resume();
  const { location } = response.headers;
  if (location === undefined && wanted === 202) throw new RegistryAnswer(0, [], 'the registry names no address for the upload');
  return new URL(location ?? root, connection.origin).href;
}
