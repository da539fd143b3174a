import { createSocket } from 'node:dgram';
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { pipeline } from 'node:stream';

import { readName } from './capture.ts';

/** The host as an emulated board sees it through QEMU's user network. */
export const hostAddress = '10.0.2.2';

export const releasePath = '/release.os.tar';

/** Servers on the host's loopback for a board to reach: a name server for one name, and a web server. */
export interface HostServices {
  httpPort: number;
  dnsPort: number;
  /** Paths that were asked for. */
  requests: string[];
  close(): Promise<void>;
}

/**
 * @param name the one name that the name server knows, as the host's address
 * @param release file to give out as `releasePath`
 */
export async function startHostServices(name: string, answer: string, release: string | null = null): Promise<HostServices> {
  const requests: string[] = [];
  const web = createServer((request, response) => {
    requests.push(`${request.headers.host ?? ''}${request.url ?? ''}`);
    if (release === null || request.url !== releasePath) response.end(answer);
    else pipeline(createReadStream(release), response, () => undefined); // a board that goes away is its own affair
  });
  await new Promise<void>((resolve, reject) => web.once('error', reject).listen(0, '127.0.0.1', resolve));
  const dns = createSocket('udp4');
  dns.on('message', (query, from) => {
    const reply = answerQuery(query, name);
    if (reply) dns.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve, reject) => {
    dns.once('error', reject);
    dns.bind(0, '127.0.0.1', resolve);
  });
  const address = web.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return {
    httpPort: address.port,
    dnsPort: dns.address().port,
    requests,
    close: async () => {
      web.closeAllConnections();
      await Promise.all([new Promise((resolve) => web.close(resolve)), new Promise<void>((resolve) => dns.close(() => resolve()))]);
    },
  };
}

/** A for the one name, no data for its other types, NXDOMAIN for everything else. Null for what is no query. */
export function answerQuery(query: Buffer, known: string): Buffer | null {
  if (query.length < 17 || query.readUInt16BE(4) !== 1) return null;
  let question;
  try {
    question = readName(query, 12);
  } catch {
    return null;
  }
  const end = question.next + 4;
  const type = query.readUInt16BE(question.next);
  const matches = question.name.toLowerCase() === known.toLowerCase();
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(0x8580 | (matches ? 0 : 3), 2);
  header.writeUInt16BE(matches && type === 1 ? 1 : 0, 6);
  header.writeUInt32BE(0, 8);
  const record = matches && type === 1 ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...hostAddress.split('.').map(Number)]) : Buffer.alloc(0);
  return Buffer.concat([header, query.subarray(12, end), record]);
}
