import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** How the server treats the next request for a path; the usual answer when there is none left. */
export type Fault =
  | { kind: 'status'; status: number }
  | { kind: 'redirect'; location: string }
  /** Sends so many bytes, then cuts the connection. */
  | { kind: 'drop'; afterBytes: number }
  /** Sends so many bytes, then nothing more. */
  | { kind: 'stall'; afterBytes: number }
  /** Flips a bit of the content. */
  | { kind: 'corrupt' }
  /** Ignores Range and sends the whole file with 200. */
  | { kind: 'no-range' };

export interface FaultyServer {
  url: string;
  files: Map<string, Buffer>;
  faults: Map<string, Fault[]>;
  /** What Authorization has to be; null: anything. */
  authorization: string | null;
  /** `GET /path bytes=5-` for each request. */
  requests: string[];
  close(): Promise<void>;
}

/** An HTTP server on loopback that serves `files` with ranges, keeps what is PUT, and misbehaves as told. */
export async function startFaultyServer(): Promise<FaultyServer> {
  const state = { files: new Map<string, Buffer>(), faults: new Map<string, Fault[]>(), requests: [] as string[], authorization: null as string | null };
  const server = http.createServer((request, response) => {
    // A proxy is asked with the whole address.
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname);
    state.requests.push(`${request.method ?? ''} ${request.url?.startsWith('http') === true ? 'proxied ' : ''}${path} ${request.headers.range ?? ''}`.trim());
    if (state.authorization !== null && request.headers.authorization !== state.authorization) {
      request.resume();
      response.writeHead(401).end();
      return;
    }
    const fault = state.faults.get(path)?.shift();
    if (request.method === 'PUT') {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        if (fault?.kind === 'status') return void response.writeHead(fault.status).end();
        state.files.set(path, Buffer.concat(parts));
        response.writeHead(201, { 'Content-Length': 0 }).end();
      });
      return;
    }
    if (fault?.kind === 'redirect') return void response.writeHead(302, { Location: fault.location }).end();
    const whole = state.files.get(path);
    if (fault?.kind === 'status' || whole === undefined) {
      response.writeHead(fault?.kind === 'status' ? fault.status : 404).end();
      return;
    }
    const content = fault?.kind === 'corrupt' ? Buffer.from(whole.map((byte, index) => (index === 0 ? byte ^ 1 : byte))) : whole;
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? '0');
    if (from > 0 && fault?.kind !== 'no-range') response.writeHead(206, { 'Content-Range': `bytes ${from}-${content.length - 1}/${content.length}`, 'Content-Length': content.length - from });
    else response.writeHead(200, { 'Content-Length': content.length });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const body = from > 0 && fault?.kind !== 'no-range' ? content.subarray(from) : content;
    if (fault?.kind === 'drop') response.write(body.subarray(0, fault.afterBytes), () => setTimeout(() => response.destroy(), 300));
    else if (fault?.kind === 'stall') response.write(body.subarray(0, fault.afterBytes));
    else response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(state, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
}
