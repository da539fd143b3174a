import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { imageConfig, sha256 } from './docker-archive.ts';

/** What goes wrong, and for how long: the function is asked for each request to a blob and may change its mind. */
export interface Fault {
  /** Closes the connection after so many bytes of the body. */
  cutAfterBytes?: number;
  /** Sends nothing more after so many bytes. */
  stallAfterBytes?: number;
  /** Flips a bit of this byte. */
  corruptByte?: number;
  status?: number;
  /** Sends the whole in spite of a Range. */
  ignoreRange?: boolean;
  redirect?: string;
  /** Answers a Range that starts so many bytes after the one that was asked for. */
  shiftRange?: number;
  /** Pauses between pieces of 64 KiB. */
  delayMs?: number;
  /** Answers so much later. */
  answerDelayMs?: number;
  /** Closes the connection when so many bytes of the request's body have come; an upload keeps them. */
  cutUploadAfterBytes?: number;
  /** Forgets the upload. */
  loseUpload?: boolean;
  /** Answers without having read the body. */
  early?: boolean;
}

export interface SeenRequest {
  method: string;
  url: string;
  authorization: string | undefined;
  range: string | undefined;
  host: string | undefined;
}

export interface TestRegistry {
  /** Where the server listens: '127.0.0.1:port', or the unix socket's path. */
  readonly address: string;
  readonly requests: SeenRequest[];
  /** Asked for every request; undefined lets it through. */
  fault: (request: SeenRequest) => Fault | undefined;
  putBlob(data: Buffer): Descriptor;
  /** Stores a document as manifest, under its digest and the tag (or a digest that is not its own); returns its digest. */
  putManifest(repository: string, tag: string | undefined, document: object): string;
  /** An image of layers; blobs are what is sent for them. */
  putImage(repository: string, tag: string | undefined, layers: readonly ImageLayer[], options?: ImageOptions): PutImage;
  blobRequests(): SeenRequest[];
  /** A blob that a repository has, or undefined. */
  blobOf(repository: string, digest: string): Buffer | undefined;
  manifestOf(repository: string, name: string): { data: Buffer; mediaType: string } | undefined;
  /** Takes a blob away from a repository. */
  forget(repository: string, digest: string): void;
  /** Makes every token that was given worthless. */
  expireTokens(): void;
  /** Bytes of uploads that came in all. */
  receivedBytes(): number;
  close(): Promise<void>;
}

export interface Descriptor {
  digest: string;
  size: number;
}

export interface ImageLayer {
  tar: Buffer;
  blob?: Buffer;
  mediaType?: string;
}

interface ImageOptions {
  docker?: boolean;
  config?: string;
}

/** What a client may put as manifest: an image, an artifact or an index. */
interface PutManifest {
  mediaType: string;
  config?: Descriptor;
  layers?: Descriptor[];
  manifests?: Descriptor[];
  artifactType?: string;
  annotations?: Record<string, string>;
  subject?: Descriptor;
}

interface PutImage {
  digest: string;
  sizeBytes: number;
  mediaType: string;
  configDigest: string;
  layerDigests: string[];
}

interface RegistryOptions {
  /** A unix socket's path in place of a port on loopback. */
  socket?: string;
  /** Tokens for those who show this user, or for everyone when it is null. */
  auth?: { kind: 'basic' | 'token'; user: string; password: string; anonymousPull?: boolean; /** May read alone. */ readOnly?: boolean };
  /** Whether it knows OCI 1.1's referrers; otherwise it keeps a manifest's subject and says nothing of it. */
  referrers?: boolean;
  /** What its search (/v1/search) finds; it has none without. */
  index?: readonly { name: string; description?: string; star_count?: number; is_official?: boolean }[];
  /** Address by which clients reach it, for the token realm. */
  publicAddress?: string;
}

/** The parts of the distribution specification that a pull and a push use, and whatever can go wrong with them. */
export async function openRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, { data: Buffer; mediaType: string }>();
  const tags = new Map<string, string[]>();
  const requests: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  /** With what they are good for: 'repository:name:pull,push'. */
  const tokens = new Map<string, string[]>();
  /** 'repository digest' of what each repository has. */
  const links = new Set<string>();
  const uploads = new Map<string, { repository: string; parts: Buffer[] }>();
  let receivedBytes = 0;
  const server = createServer((request, response) => {
    void answer(request, response).catch(() => request.socket.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('clientError', (_, socket) => socket.destroy());
  await new Promise<void>((resolve) => (options.socket === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(options.socket, resolve)));
  const address = options.socket ?? `127.0.0.1:${(server.address() as AddressInfo).port}`;

  const registry: TestRegistry = {
    address, requests,
    fault: () => undefined,
    putBlob(data) {
      const digest = `sha256:${sha256(data)}`;
      blobs.set(digest, data);
      return { digest, size: data.length };
    },
    putManifest(repository, tag, document) {
      const data = Buffer.from(JSON.stringify(document));
      const digest = `sha256:${sha256(data)}`;
      const mediaType = (document as { mediaType?: string }).mediaType ?? 'application/vnd.oci.image.manifest.v1+json';
      for (const name of tag === undefined ? [digest] : [digest, tag]) manifests.set(`${repository} ${name}`, { data, mediaType });
      if (tag !== undefined) tags.set(repository, [...new Set([...(tags.get(repository) ?? []), tag])]);
      return digest;
    },
    putImage(repository, tag, layers, { docker = false, config = imageConfig(layers.map(({ tar }) => tar)) } = {}) {
      const mediaType = docker ? 'application/vnd.docker.distribution.manifest.v2+json' : 'application/vnd.oci.image.manifest.v1+json';
      const configBlob = registry.putBlob(Buffer.from(config));
      const layerType = docker ? 'application/vnd.docker.image.rootfs.diff.tar.gzip' : 'application/vnd.oci.image.layer.v1.tar';
      const layerBlobs = layers.map(({ tar, blob, mediaType: own }) => ({ mediaType: own ?? layerType, ...registry.putBlob(blob ?? tar) }));
      const document = {
        schemaVersion: 2, mediaType,
        config: { mediaType: docker ? 'application/vnd.docker.container.image.v1+json' : 'application/vnd.oci.image.config.v1+json', ...configBlob },
        layers: layerBlobs,
      };
      for (const blob of [configBlob, ...layerBlobs]) links.add(`${repository} ${blob.digest}`);
      const digest = registry.putManifest(repository, tag, document);
      return { digest, sizeBytes: JSON.stringify(document).length, mediaType, configDigest: configBlob.digest, layerDigests: layerBlobs.map((layer) => layer.digest) };
    },
    blobOf: (repository, digest) => (links.has(`${repository} ${digest}`) ? blobs.get(digest) : undefined),
    manifestOf: (repository, name) => manifests.get(`${repository} ${name}`),
    forget: (repository, digest) => void links.delete(`${repository} ${digest}`),
    expireTokens: () => tokens.clear(),
    receivedBytes: () => receivedBytes,
    blobRequests: () => requests.filter(({ url }) => url.includes('/blobs/')),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };

  const refuse = (response: ServerResponse, status: number, code: string, message: string): void => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ errors: [{ code, message }] }));
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const seen: SeenRequest = { method, url, authorization: headers.authorization, range: headers.range, host: headers.host };
    requests.push(seen);
    const fault = registry.fault(seen) ?? {};
    if (fault.status !== undefined && fault.early !== true) for await (const _ of request) { /* the body is of no use */ }
    if (fault.answerDelayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.answerDelayMs));
    if (fault.status !== undefined) return refuse(response, fault.status, 'UNKNOWN', 'as the test wants it');
    if (fault.redirect !== undefined) {
      response.writeHead(307, { Location: fault.redirect });
      response.end();
      return;
    }
    if (url.startsWith('/token')) return giveToken(request, response);
    if (!isAllowed(request)) return challenge(request, response, url);
    if (url === '/v2/') {
      response.writeHead(200, { 'Content-Length': 2 });
      response.end('{}');
      return;
    }
    const asked = new URL(url, 'http://x');
    if (asked.pathname === '/v1/search' && options.index !== undefined) {
      const words = asked.searchParams.get('q') ?? '';
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ results: options.index.filter(({ name }) => name.includes(words)).slice(0, Number(asked.searchParams.get('n'))) }));
      return;
    }
    if (asked.pathname === '/v2/_catalog') {
      // Two a page, so that clients have to follow the links.
      const names = [...tags.keys()].toSorted();
      const at = names.indexOf(asked.searchParams.get('last') ?? '') + 1;
      const page = names.slice(at, at + 2);
      response.writeHead(200, { 'Content-Type': 'application/json', ...(at + 2 < names.length ? { Link: `</v2/_catalog?last=${page[1] ?? ''}&n=2>; rel="next"` } : {}) });
      response.end(JSON.stringify({ repositories: page }));
      return;
    }
    const match = /^\/v2\/(.+)\/(manifests|blobs|tags|referrers)\/([^/?]+)/.exec(url);
    const [, repository = '', kind, name = ''] = match ?? [];
    if (kind === 'referrers' && options.referrers === true) return sendReferrers(response, repository, name, new URL(url, 'http://x').searchParams.get('artifactType'));
    if (kind === 'tags') {
      const names = tags.get(repository);
      if (names === undefined) return refuse(response, 404, 'NAME_UNKNOWN', 'repository name not known to registry');
      // One a page, so that clients have to follow the links.
      const last = /[?&]last=([^&]*)/.exec(url)?.[1];
      const at = last === undefined ? 0 : names.indexOf(last) + 1;
      const page = names.slice(at, at + 1);
      response.writeHead(200, { 'Content-Type': 'application/json', ...(at + 1 < names.length ? { Link: `</v2/${repository}/tags/list?last=${page[0] ?? ''}&n=1>; rel="next"` } : {}) });
      response.end(JSON.stringify({ name: repository, tags: page }));
      return;
    }
    if (kind === 'manifests' && method === 'PUT') return takeManifest(request, response, repository, name);
    if (kind === 'blobs' && name === 'uploads') return takeUpload(request, response, repository, fault);
    if (kind === 'blobs' && method === 'HEAD') {
      const found = registry.blobOf(repository, name);
      response.writeHead(found === undefined ? 404 : 200, found === undefined ? {} : { 'Content-Length': found.length, 'Docker-Content-Digest': name });
      response.end();
      return;
    }
    if (kind === 'manifests') {
      const manifest = manifests.get(`${repository} ${name}`);
      if (manifest === undefined) return refuse(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
      response.writeHead(200, { 'Content-Type': manifest.mediaType, 'Content-Length': manifest.data.length, 'Docker-Content-Digest': `sha256:${sha256(manifest.data)}` });
      response.end(manifest.data);
      return;
    }
    const blob = kind === 'blobs' ? blobs.get(name) : undefined;
    if (blob === undefined) return refuse(response, 404, 'BLOB_UNKNOWN', 'blob unknown to registry');
    await sendBlob(seen, response, blob, fault);
  }

  async function takeManifest(request: IncomingMessage, response: ServerResponse, repository: string, name: string): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const data = Buffer.concat(parts);
    const document = JSON.parse(data.toString()) as PutManifest;
    if (document.mediaType !== request.headers['content-type']) return refuse(response, 400, 'MANIFEST_INVALID', 'the media type differs');
    if (document.manifests?.some((entry) => !manifests.has(`${repository} ${entry.digest}`)) === true) return refuse(response, 400, 'MANIFEST_UNKNOWN', 'the index has a manifest that is not here');
    for (const { digest, size } of document.config === undefined ? [] : [document.config, ...(document.layers ?? [])]) {
      const blob = registry.blobOf(repository, digest);
      if (blob === undefined) return refuse(response, 400, 'MANIFEST_BLOB_UNKNOWN', `blob unknown to registry: ${digest}`);
      if (blob.length !== size) return refuse(response, 400, 'MANIFEST_INVALID', `${digest} has ${blob.length} bytes and not ${size}`);
    }
    const digest = `sha256:${sha256(data)}`;
    for (const key of [digest, name]) manifests.set(`${repository} ${key}`, { data, mediaType: document.mediaType });
    tags.set(repository, [...new Set([...(tags.get(repository) ?? []), name])]);
    response.writeHead(201, { Location: `/v2/${repository}/manifests/${digest}`, 'Docker-Content-Digest': digest, 'Content-Length': 0, ...(options.referrers === true && document.subject !== undefined ? { 'OCI-Subject': document.subject.digest } : {}) });
    response.end();
  }

  /** Filtered by type when that is asked for. */
  function sendReferrers(response: ServerResponse, repository: string, digest: string, type: string | null): void {
    const found = [...manifests].filter(([key]) => key.startsWith(`${repository} sha256:`)).map(([key, { data, mediaType }]) => ({ digest: key.slice(repository.length + 1), size: data.length, mediaType, document: JSON.parse(data.toString()) as PutManifest }));
    const referrers = found.filter(({ document }) => document.subject?.digest === digest && (type === null || document.artifactType === type));
    const entries = referrers.map(({ document: { artifactType, annotations }, ...descriptor }) => ({ ...descriptor, artifactType, annotations }));
    response.writeHead(200, { 'Content-Type': 'application/vnd.oci.image.index.v1+json', ...(type === null ? {} : { 'OCI-Filters-Applied': 'artifactType' }) });
    response.end(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: entries }));
  }

  async function takeUpload(request: IncomingMessage, response: ServerResponse, repository: string, fault: Fault): Promise<void> {
    const url = new URL(request.url ?? '', 'http://x');
    const done = (status: number, headers: Record<string, string | number>): void => {
      response.writeHead(status, { 'Content-Length': 0, ...headers });
      response.end();
    };
    const where = (id: string): Record<string, string> => {
      const { parts = [] } = uploads.get(id) ?? {};
      const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0);
      return { Location: `/v2/${repository}/blobs/uploads/${id}?state=${sizeBytes}`, Range: `0-${Math.max(0, sizeBytes - 1)}` };
    };
    if (request.method === 'POST') {
      const [mount, from] = [url.searchParams.get('mount') ?? '', url.searchParams.get('from') ?? ''];
      if (registry.blobOf(from, mount) !== undefined) {
        links.add(`${repository} ${mount}`);
        return done(201, { Location: `/v2/${repository}/blobs/${mount}` });
      }
      const id = sha256(`${Math.random()}`);
      uploads.set(id, { repository, parts: [] });
      return done(202, where(id));
    }
    const id = url.pathname.split('/').at(-1) ?? '';
    if (fault.loseUpload === true) uploads.delete(id);
    const upload = uploads.get(id);
    if (upload?.repository !== repository) return refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
    if (request.method === 'GET') return done(204, where(id));
    if (request.method === 'DELETE') {
      uploads.delete(id);
      return done(204, {});
    }
    let cameBytes = 0;
    for await (const part of request as AsyncIterable<Buffer>) {
      const kept = part.subarray(0, Math.max(0, (fault.cutUploadAfterBytes ?? Number.POSITIVE_INFINITY) - cameBytes));
      upload.parts.push(kept);
      cameBytes += part.length;
      receivedBytes += kept.length;
      if (kept.length < part.length || cameBytes === fault.cutUploadAfterBytes) {
        request.socket.destroy();
        return;
      }
      if (fault.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
    }
    if (request.method === 'PATCH') return done(202, where(id));
    const data = Buffer.concat(upload.parts);
    uploads.delete(id);
    const digest = `sha256:${sha256(data)}`;
    if (url.searchParams.get('digest') !== digest) return refuse(response, 400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
    blobs.set(digest, data);
    links.add(`${repository} ${digest}`);
    done(201, { Location: `/v2/${repository}/blobs/${digest}`, 'Docker-Content-Digest': digest });
  }

  async function sendBlob(seen: SeenRequest, response: ServerResponse, blob: Buffer, fault: Fault): Promise<void> {
    const asked = fault.ignoreRange === true ? 0 : Number(/^bytes=(\d+)-$/.exec(seen.range ?? '')?.[1] ?? 0);
    if (asked > 0 && asked >= blob.length) {
      response.writeHead(416, { 'Content-Range': `bytes */${blob.length}`, 'Content-Length': 0 });
      response.end();
      return;
    }
    const from = asked > 0 ? Math.max(0, asked + (fault.shiftRange ?? 0)) : 0;
    if (asked > 0) response.writeHead(206, { 'Content-Length': blob.length - from, 'Content-Range': `bytes ${from}-${blob.length - 1}/${blob.length}` });
    else response.writeHead(200, { 'Content-Length': blob.length });
    const data = Buffer.from(blob.subarray(from));
    if (fault.corruptByte !== undefined && fault.corruptByte >= from) data[fault.corruptByte - from] = (data[fault.corruptByte - from] ?? 0) ^ 1;
    const stop = Math.min(data.length, fault.cutAfterBytes ?? Number.POSITIVE_INFINITY, fault.stallAfterBytes ?? Number.POSITIVE_INFINITY);
    for (let at = 0; at < stop; at += 65536) {
      const part = data.subarray(at, Math.min(stop, at + 65536));
      if (response.destroyed) return;
      await new Promise<void>((resolve) => {
        response.once('close', resolve);
        response.write(part, () => {
          response.off('close', resolve);
          resolve();
        });
      });
      if (fault.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
    }
    if (stop === data.length) response.end();
    else if (fault.cutAfterBytes !== undefined) response.socket?.destroy();
  }

  function isAllowed(request: IncomingMessage): boolean {
    const { auth } = options;
    if (auth === undefined) return true;
    const given = request.headers.authorization ?? '';
    if (auth.kind === 'basic') return given === basic(auth.user, auth.password);
    const scopes = tokens.get(given.replace('Bearer ', ''));
    return scopes !== undefined && (reads(request) || scopes.includes(`repository:${repositoryOf(request.url ?? '')}:pull,push`));
  }

  function reads({ method }: IncomingMessage): boolean {
    return method === 'GET' || method === 'HEAD';
  }

  function repositoryOf(url: string): string {
    return /^\/v2\/(.+)\/(?:manifests|blobs|tags)\//.exec(url)?.[1] ?? '';
  }

  function challenge(request: IncomingMessage, response: ServerResponse, url: string): void {
    const scope = repositoryOf(url);
    const known = tokens.has((request.headers.authorization ?? '').replace('Bearer ', ''));
    const realm = `http://${options.publicAddress ?? address}/token`;
    const header = options.auth?.kind === 'basic' ? 'Basic realm="test"' : `Bearer realm="${realm}",service="test"${scope === '' ? '' : `,scope="repository:${scope}:${reads(request) ? 'pull' : 'pull,push'}"`}${known ? ',error="insufficient_scope"' : ''}`;
    response.writeHead(401, { 'WWW-Authenticate': header, 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] }));
  }

  function giveToken(request: IncomingMessage, response: ServerResponse): void {
    const { auth } = options;
    const good = auth !== undefined && (request.headers.authorization === basic(auth.user, auth.password) || (auth.anonymousPull === true && request.headers.authorization === undefined));
    if (!good) return refuse(response, 401, 'UNAUTHORIZED', 'authentication required');
    const token = sha256(`${tokens.size} ${Math.random()}`);
    const asked = new URL(request.url ?? '', 'http://x').searchParams.getAll('scope');
    const readOnly = request.headers.authorization === undefined || auth.readOnly === true;
    tokens.set(token, asked.map((scope) => (readOnly ? scope.replace(/:pull,push$/, ':pull') : scope)));
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ token, expires_in: 60 }));
  }
  return registry;
}

export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
