import { text } from 'host:bytes';
import { sha256 } from 'host:crypto';
import type { Reference } from '../images/index.ts';
import type { ByteSource, Cancellation, System } from '../ports/index.ts';
import { authorize, refusal } from './authorization.ts';
import { parseChallenges } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { NO_CREDENTIALS } from './credentials.ts';
import { isInsecure, planEndpoints, wantsAddresses, type Endpoint, type RegistrySettings } from './endpoints.ts';
import { MANIFEST_TYPES, parseManifest, type ManifestDocument } from './manifest.ts';
import { errorFromAnswer, isTransient, isUnreachable, RegistryError } from './registry-error.ts';
import { BLOB_RETRIES, checkCancelled, FIRST_RETRIES, pause, retryDelayMs, type RetryPolicy } from './retry.ts';
import { tlsFor } from './tls-files.ts';
import { createTransport, type Reply, type Timeouts } from './transport.ts';
import { follow, origin, type Url } from './url.ts';

export interface RegistryContext {
  system: Pick<System, 'sockets' | 'clock' | 'files'>;
  settings: RegistrySettings;
  userAgent: string;
  timeouts?: Timeouts;
  retries?: { first: RetryPolicy; blob: RetryPolicy };
}

export interface FetchedManifest {
  digest: string;
  mediaType: string;
  sizeBytes: number;
  document: ManifestDocument;
}

/** What a request of ours is made of; the body is asked for again when the request has to be sent again. */
export interface RepositoryRequest {
  method: 'HEAD' | 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  headers?: Readonly<Record<string, string>>;
  body?: () => string | Uint8Array | ByteSource;
}

export interface RepositoryOptions {
  /** Other repositories of the registry (their paths) that blobs may be taken from; given, the repository can be written to. */
  pushFrom?: readonly string[];
}

/** One repository of one registry, for the time of one pull or push. */
export interface Repository {
  /** 'domain/path' */
  readonly name: string;
  /** Below /v2/. */
  readonly path: string;
  /** One request to the registry itself, with the login that it wants; whatever it answers. `target` may be an address that it gave. */
  send(target: string | Url, request: RepositoryRequest): Promise<Reply>;

  /** By tag or digest, checked against the digest. */
  manifest(tagOrDigest: string): Promise<FetchedManifest>;
  /** A blob's bytes from an offset on; the answer may ignore the offset (200 in place of 206). */
  blob(digest: string, fromByte: number): Promise<Reply>;
  tags(): Promise<string[]>;
  /** Asks whether the credentials are good. */
  ping(): Promise<void>;
  close(): void;
}

const MANIFEST_LIMIT_BYTES = 4 * 1024 * 1024;
const ERROR_LIMIT_BYTES = 64 * 1024;
const TAG_PAGES_LIMIT = 1000;
const TIMEOUTS: Timeouts = { connectMs: 15_000, stallMs: 60_000 };

export async function openRepository(context: RegistryContext, reference: Pick<Reference, 'domain' | 'path'>, credentials: Credentials, cancellation: Cancellation, options: RepositoryOptions = {}): Promise<Repository> {
  const { sockets, files, clock } = context.system;
  const addresses = wantsAddresses(context.settings) ? await sockets.resolve(reference.domain.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')).catch(() => []) : [];
  const { pushFrom } = options;
  const pushScopes = pushFrom === undefined ? [] : [`repository:${reference.path}:pull,push`, ...pushFrom.map((path) => `repository:${path}:pull`)];
  const endpoints = planEndpoints(reference.domain, context.settings, addresses).filter(({ mirror }) => pushFrom === undefined || !mirror);
  const insecureHosts = new Set(endpoints.filter(({ insecure }) => insecure).map(({ url }) => url.host));
  const timeouts = context.timeouts ?? TIMEOUTS;
  const transport = createTransport({
    sockets, clock, cancellation,
    userAgent: context.userAgent,
    timeouts,
    proxies: context.settings.proxies,
    tls: (url) => tlsFor(files, sockets, url, insecureHosts.has(url.host) || isInsecure(url, context.settings, []), timeouts.connectMs),
  });
  const authorizations = new Map<Endpoint, string>();
  let chosen: Endpoint | undefined;

  /** A request with the login that it turns out to need. */
  const ask = async (endpoint: Endpoint, target: string | Url, headers: Readonly<Record<string, string>>, { method = 'GET', body }: Partial<RepositoryRequest> = {}): Promise<Reply> => {
    for (let attempt = 0; ; attempt += 1) {
      const url = typeof target === 'string' ? { ...endpoint.url, target } : target;
      const authorization = origin(url) === origin(endpoint.url) ? authorizations.get(endpoint) : undefined;
      const content = body?.();
      const reply = await transport.send(url, { method, headers: authorization === undefined ? headers : { ...headers, Authorization: authorization }, ...(content === undefined ? {} : { body: content }) });
      // An address elsewhere is good by itself.
      if (origin(url) !== origin(endpoint.url)) return reply;
      if (reply.status !== 401 || origin(reply.url) !== origin(url)) return reply;
      const challenges = parseChallenges(reply.headers.get('www-authenticate') ?? '');
      const said = text(await reply.bytes(ERROR_LIMIT_BYTES));
      // The token that we had may have run out; a fresh one that is refused is an answer.
      if (attempt > 0) throw refusal(challenges, reply, said);
      const shown = endpoint.mirror ? NO_CREDENTIALS : credentials;
      authorizations.delete(endpoint);
      authorizations.set(endpoint, await authorize(transport, challenges, shown, reference.path === '' ? '' : `repository:${reference.path}:pull`, endpoint.insecure, pushScopes));
    }
  };
  const good = async (reply: Reply): Promise<Reply> => {
    if (reply.status === 200 || reply.status === 206) return reply;
    const body = text(await reply.bytes(ERROR_LIMIT_BYTES).catch(() => new Uint8Array(0)));
    throw errorFromAnswer(reply.status, body, reply.headers.get('retry-after'));
  };
  const retried = async <T>(policy: RetryPolicy, action: () => Promise<T>): Promise<T> => {
    for (let failures = 1; ; failures += 1) {
      checkCancelled(cancellation);
      try {
        return await action();
      } catch (error) {
        checkCancelled(cancellation);
        if (failures >= policy.limit || !isTransient(error) || isUnreachable(error)) throw error;
        await pause(clock, retryDelayMs(policy, failures, error instanceof RegistryError ? error.retryAfterMs : undefined), cancellation);
      }
    }
  };
  /** Until one endpoint has answered: each in turn. A registry that answers no says no; a mirror's no says nothing. */
  const anywhere = async <T>(action: (endpoint: Endpoint) => Promise<T>): Promise<T> => {
    if (chosen !== undefined) {
      const endpoint = chosen;
      return retried(context.retries?.blob ?? BLOB_RETRIES, () => action(endpoint));
    }
    let failure: unknown = new RegistryError('ENDPOINT', `"${reference.domain}" is no address of a registry`);
    for (const endpoint of endpoints) {
      try {
        const result = await retried(context.retries?.first ?? FIRST_RETRIES, () => action(endpoint));
        chosen = endpoint;
        return result;
      } catch (error) {
        checkCancelled(cancellation);
        failure = error;
        if (!endpoint.mirror && error instanceof RegistryError && error.status > 0) throw error;
      }
    }
    throw failure;
  };

  return {
    name: `${reference.domain}/${reference.path}`,
    path: reference.path,
    async send(target, request) {
      const endpoint = chosen ?? endpoints.find(({ mirror }) => !mirror);
      if (endpoint === undefined) throw new RegistryError('ENDPOINT', `"${reference.domain}" is no address of a registry`);
      return ask(endpoint, target, request.headers ?? {}, request);
    },
    close: () => transport.close(),
    manifest: (tagOrDigest) =>
      anywhere(async (endpoint) => {
        const reply = await good(await ask(endpoint, `/v2/${reference.path}/manifests/${tagOrDigest}`, { Accept: MANIFEST_TYPES.join(', ') }));
        const bytes = await reply.bytes(MANIFEST_LIMIT_BYTES);
        const digest = `sha256:${sha256(bytes)}`;
        if (tagOrDigest.startsWith('sha256:') && tagOrDigest !== digest) {
          throw new RegistryError('DIGEST_INVALID', `manifest verification failed for digest ${tagOrDigest}`);
        }
        return { digest, mediaType: (reply.headers.get('content-type') ?? '').split(';')[0] ?? '', sizeBytes: bytes.length, document: parseManifest(text(bytes)) };
      }),
    async blob(digest, fromByte) {
      const own = endpoints.find(({ mirror }) => !mirror);
      const endpoint = chosen ?? own;
      if (endpoint === undefined) throw new RegistryError('ENDPOINT', `"${reference.domain}" is no address of a registry`);
      const target = `/v2/${reference.path}/blobs/${digest}`;
      const headers: Record<string, string> = fromByte > 0 ? { Range: `bytes=${fromByte}-` } : {};
      if (!endpoint.mirror || own === undefined) return ask(endpoint, target, headers);
      // A mirror that knows the image need not have all of it, and may go away; its digests are as good as the registry's.
      try {
        const reply = await ask(endpoint, target, headers);
        if (reply.status === 200 || reply.status === 206) return reply;
        reply.close();
      } catch (error) {
        checkCancelled(cancellation);
        if (!isUnreachable(error) && isTransient(error)) throw error;
      }
      return ask(own, target, headers);
    },
    tags: () =>
      anywhere(async (endpoint) => {
        const tags: string[] = [];
        let target = `/v2/${reference.path}/tags/list`;
        for (let page = 0; page < TAG_PAGES_LIMIT; page += 1) {
          const reply = await good(await ask(endpoint, target, {}));
          const { tags: some } = JSON.parse(text(await reply.bytes(MANIFEST_LIMIT_BYTES))) as { tags?: unknown };
          if (Array.isArray(some)) tags.push(...some.filter((tag) => typeof tag === 'string'));
          const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(reply.headers.get('link') ?? '');
          const next = link === null ? undefined : follow(reply.url, link[1] ?? '');
          if (next === undefined || origin(next) !== origin(endpoint.url)) break;
          target = next.target;
        }
        return tags;
      }),
    ping: () =>
      anywhere(async (endpoint) => {
        const reply = await good(await ask(endpoint, '/v2/', {}));
        await reply.bytes(ERROR_LIMIT_BYTES);
      }),
  };
}
