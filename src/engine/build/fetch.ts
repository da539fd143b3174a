import { EngineError, messageOf } from '../error.ts';
import type { Cancellation, System } from '../ports/index.ts';
import { createTransport, parseUrl, tlsFor, type RegistrySettings } from '../registry/index.ts';
import { ENGINE_VERSION } from '../version.ts';

export interface Fetched {
  /** Last part of the address' path; '' when it ends with a slash. */
  name: string;
  contentType: string;
  /** Of the Last-Modified header; undefined without one. */
  modifiedSeconds: number | undefined;
  sizeBytes: number;
}

const TIMEOUTS = { connectMs: 15_000, stallMs: 60_000 };

export function isAddress(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

export function nameOfAddress(address: string): string {
  const path = address.replace(/[?#].*$/, '').replace(/^https?:\/\/[^/]*/i, '');
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Downloads to a new file. Throws 'invalid' in words that name the address. */
export async function fetchFile(system: System, proxies: RegistrySettings['proxies'], address: string, path: string, cancellation: Cancellation): Promise<Fetched> {
  const url = parseUrl(address);
  if (url === undefined) throw new EngineError('invalid', 'ADDRESS_INVALID', `${JSON.stringify(address)} is not a valid http(s) address`);
  const transport = createTransport({
    sockets: system.sockets, clock: system.clock, cancellation, userAgent: `minke/${ENGINE_VERSION}`, timeouts: TIMEOUTS, proxies,
    tls: (target) => tlsFor(system.files, system.sockets, target, false, TIMEOUTS.connectMs),
  });
  try {
    const reply = await transport.send(url, { headers: {} });
    if (reply.status !== 200) throw new EngineError('invalid', 'DOWNLOAD_FAILED', `failed to GET ${address} with status ${reply.status}`);
    const fd = system.files.open(path, 'create-new', 0o600);
    let sizeBytes = 0;
    try {
      for (let part = await reply.body.read(); part !== null; part = await reply.body.read()) {
        system.files.write(fd, part);
        sizeBytes += part.length;
      }
    } finally {
      system.files.close(fd);
    }
    const modified = Date.parse(reply.headers.get('last-modified') ?? '');
    return { name: nameOfAddress(address), contentType: reply.headers.get('content-type') ?? '', modifiedSeconds: Number.isNaN(modified) ? undefined : Math.floor(modified / 1000), sizeBytes };
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError('invalid', 'DOWNLOAD_FAILED', `cannot fetch ${address}: ${messageOf(error)}`, { cause: error });
  } finally {
    transport.close();
  }
}
