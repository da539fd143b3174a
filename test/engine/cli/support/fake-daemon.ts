import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';

/** One request as the daemon saw it; the path goes without the API version. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly text?: string;
  /** Called with the open response, for answers that come bit by bit. */
  readonly stream?: (response: ServerResponse, request: IncomingMessage) => void;
}

export type Route = (request: SeenRequest, match: RegExpExecArray) => Reply | Promise<Reply>;
export type Hijack = (socket: Duplex, request: SeenRequest) => void;

export interface FakeDaemon {
  readonly host: string;
  readonly socketPath: string;
  readonly seen: SeenRequest[];
  close(): Promise<void>;
}

export interface FakeDaemonOptions {
  /** By "METHOD pattern", the pattern matching the whole path. */
  readonly routes?: Readonly<Record<string, Route>>;
  /** By pattern: what happens with connections that are upgraded. */
  readonly hijacks?: Readonly<Record<string, Hijack>>;
  readonly apiVersion?: string;
  readonly tcp?: boolean;
}

export function frame(stream: 1 | 2 | 3, data: string | Buffer): Buffer {
  const payload = Buffer.from(data);
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

function parse(request: IncomingMessage, body: Buffer): SeenRequest {
  const url = new URL(request.url ?? '/', 'http://daemon');
  return { method: request.method ?? '', path: decodeURIComponent(url.pathname.replace(/^\/v\d+\.\d+/, '')), query: url.searchParams, headers: request.headers, body };
}

/** An HTTP server on a unix socket that answers as a test says and remembers what it was asked. */
export async function fakeDaemon(options: FakeDaemonOptions = {}): Promise<FakeDaemon> {
  const folder = mkdtempSync(join(tmpdir(), 'fake-daemon-'));
  const socketPath = join(folder, 'd.sock');
  const seen: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  const routes: Record<string, Route> = {
    '(GET|HEAD) /_ping': () => ({ text: 'OK', headers: { 'Api-Version': options.apiVersion ?? '1.47', 'OSType': 'linux', 'Docker-Experimental': 'false' } }),
    ...options.routes,
  };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (chunk: Buffer) => parts.push(chunk));
    request.on('end', () => void answer(parse(request, Buffer.concat(parts)), request, response));
  });
  const answer = async (asked: SeenRequest, request: IncomingMessage, response: ServerResponse) => {
    seen.push(asked);
    for (const [pattern, route] of Object.entries(routes)) {
      const match = new RegExp(`^${pattern}$`).exec(`${asked.method} ${asked.path}`);
      if (!match) continue;
      const reply = await route(asked, match);
      const body = reply.json === undefined ? reply.text ?? '' : `${JSON.stringify(reply.json)}\n`;
      response.writeHead(reply.status ?? (body === '' && !reply.stream ? 204 : 200), { ...(reply.json === undefined ? {} : { 'Content-Type': 'application/json' }), ...reply.headers });
      if (reply.stream) {
        response.flushHeaders();
        reply.stream(response, request);
      } else response.end(body);
      return;
    }
    response.writeHead(404, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ message: `page not found: ${asked.method} ${asked.path}` }));
  };
  server.on('upgrade', (request, socket, head) => {
    const length = Number(request.headers['content-length'] ?? 0);
    const start = (body: Buffer, rest: Buffer) => {
      const asked = parse(request, body);
      seen.push(asked);
      const hijack = Object.entries(options.hijacks ?? {}).find(([pattern]) => new RegExp(`^${pattern}$`).test(asked.path))?.[1];
      if (!hijack) {
        const message = JSON.stringify({ message: `No such container: ${asked.path}` });
        socket.end(`HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: ${message.length}\r\n\r\n${message}`);
        return;
      }
      socket.write('HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
      socket.on('error', () => undefined);
      if (rest.length > 0) socket.unshift(rest);
      hijack(socket, asked);
    };
    if (head.length >= length) start(head.subarray(0, length), head.subarray(length));
    else {
      let body = head;
      const collect = (chunk: Buffer) => {
        body = Buffer.concat([body, chunk]);
        if (body.length < length) return;
        socket.off('data', collect);
        start(body.subarray(0, length), body.subarray(length));
      };
      socket.on('data', collect);
    }
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => { if (options.tcp) server.listen(0, '127.0.0.1', resolve); else server.listen(socketPath, resolve); });
  return {
    host: options.tcp ? `tcp://127.0.0.1:${(server.address() as AddressInfo).port}` : `unix://${socketPath}`, socketPath, seen,
    close: () => new Promise((resolve) => {
      for (const socket of sockets) socket.destroy();
      server.close(() => {
        rmSync(folder, { recursive: true, force: true });
        resolve();
      });
    }),
  };
}
