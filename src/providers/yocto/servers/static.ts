import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join, sep } from 'node:path';

export interface StaticServer {
  /** The port that it listens on. */
  port: number;
  /** Bytes and files sent since the start. */
  sent(): { files: number; bytes: number };
  close(): Promise<void>;
}

/** A part of a file: first and last byte, both included. */
export interface ByteRange {
  first: number;
  last: number;
}

/** Below a folder name that starts with a dot nothing is served: those are other programs' (locks, unfinished files). */
const hidden = /(^|\/)\./;

/**
 * Serves the files below a folder, read-only: GET and HEAD, one range a request, no listings. Nothing outside of the folder is
 * reached, through links neither. Throws the system's error where the port cannot be had.
 */
export async function serveFolder(folder: string, { host, port }: { host: string; port: number }): Promise<StaticServer> {
  const root = await realpath(folder);
  const sent = { files: 0, bytes: 0 };
  const server = createServer((request, response) => {
    answer(root, request, response, sent).catch((error: NodeJS.ErrnoException) => refuse(response, error.code === 'EACCES' ? 403 : 500));
  });
  // A build's fetchers keep connections for the next file; one that says nothing for a minute is let go.
  server.keepAliveTimeout = 60_000;
  await listen(server, host, port);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    sent: () => ({ ...sent }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(root: string, request: IncomingMessage, response: ServerResponse, sent: { files: number; bytes: number }): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    return refuse(response, 405);
  }
  const path = requestedPath(request.url ?? '');
  if (path === null) return refuse(response, 400);
  const file = path === '' || hidden.test(path) ? null : await within(root, path);
  const info = file === null ? null : await stat(file).catch(() => null);
  if (file === null || info?.isFile() !== true) return refuse(response, 404);
  const tag = `"${info.size.toString(16)}-${Math.trunc(info.mtimeMs).toString(16)}"`;
  response.setHeader('ETag', tag);
  response.setHeader('Last-Modified', info.mtime.toUTCString());
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('Content-Type', 'application/octet-stream');
  if (request.headers['if-none-match'] === tag) return void response.writeHead(304).end();
  // A part of what the file was before is no part of it now: then all of it is sent.
  const changed = request.headers['if-range'] !== undefined && request.headers['if-range'] !== tag;
  const range = changed ? null : parseRange(request.headers.range, info.size);
  if (range === 'unsatisfiable') {
    response.setHeader('Content-Range', `bytes */${info.size}`);
    return refuse(response, 416);
  }
  const { first, last } = range ?? { first: 0, last: info.size - 1 };
  const length = last - first + 1;
  response.setHeader('Content-Length', length);
  if (range !== null) response.setHeader('Content-Range', `bytes ${first}-${last}/${info.size}`);
  response.writeHead(range === null ? 200 : 206);
  if (request.method === 'HEAD' || length === 0) return void response.end();
  const stream = createReadStream(file, { start: first, end: last });
  stream.on('error', () => response.destroy());
  response.on('close', () => stream.destroy());
  response.on('finish', () => {
    sent.files++;
    sent.bytes += length;
  });
  stream.pipe(response);
}

/** The path of a request's URL without its leading slash; null for what is none, or would lead upwards. */
export function requestedPath(url: string): string | null {
  const [encoded = ''] = url.split(/[?#]/);
  let path: string;
  try {
    path = decodeURIComponent(encoded);
  } catch {
    return null;
  }
  if (!path.startsWith('/') || path.includes('\0') || path.includes('\\')) return null;
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return parts.includes('..') ? null : parts.join('/');
}

/** RFC 9110, 14.1.2, of one range. Null: send all of it, as for every header that we do not understand. */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | 'unsatisfiable' | null {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (found === null || (found[1] === '' && found[2] === '')) return null;
  if (found[1] === '') {
    const suffix = Number(found[2]);
    return suffix === 0 || sizeBytes === 0 ? 'unsatisfiable' : { first: Math.max(0, sizeBytes - suffix), last: sizeBytes - 1 };
  }
  const first = Number(found[1]);
  const last = found[2] === '' ? sizeBytes - 1 : Math.min(Number(found[2]), sizeBytes - 1);
  if (found[2] !== '' && Number(found[2]) < first) return null;
  return first >= sizeBytes ? 'unsatisfiable' : { first, last };
}

async function within(root: string, path: string): Promise<string | null> {
  const file = await realpath(join(root, path)).catch(() => null);
  return file?.startsWith(root + sep) === true ? file : null;
}

function refuse(response: ServerResponse, status: number): void {
  if (response.headersSent) return void response.destroy();
  response.removeHeader('Content-Length');
  response.writeHead(status, { 'Content-Type': 'text/plain' }).end(`${status}\n`);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => server.once('error', reject).listen(port, host, () => resolve()));
}
