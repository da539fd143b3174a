import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

type Answer = { a?: string[]; aaaa?: string[]; alias?: string };

const zone: Record<string, Answer> = {
  'both.test': { a: ['192.0.2.1', '192.0.2.2'], aaaa: ['2001:db8::1'] },
  'four.test': { a: ['192.0.2.4'] },
  'alias.test': { alias: 'four.test' },
  'flaky.test': { a: ['192.0.2.5'] },
  'long.test': { a: Array.from({ length: 100 }, (_, i) => `192.0.2.${i + 1}`) },
};

const A = 1;
const CNAME = 5;
const AAAA = 28;

function encodeName(name: string): Buffer {
  return Buffer.concat([...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])), Buffer.from([0])]);
}

function address6(text: string): Buffer {
  const [head = '', tail = ''] = text.split('::');
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [front, back] = [groups(head), groups(tail)];
  const all = [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]));
}

function record(name: string, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(60, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([encodeName(name), fixed, data]);
}

function records(name: string, type: number): Buffer[] {
  const found = zone[name];
  if (found?.alias !== undefined) return [record(name, CNAME, encodeName(found.alias)), ...records(found.alias, type)];
  if (type === A) return (found?.a ?? []).map((text) => record(name, A, Buffer.from(text.split('.').map(Number))));
  if (type === AAAA) return (found?.aaaa ?? []).map((text) => record(name, AAAA, address6(text)));
  return [];
}

/** The answer to a query, or null for one that gets none. */
function answer(query: Buffer, limitBytes: number, lost: Set<string>): Buffer | null {
  const labels: string[] = [];
  let at = 12;
  for (let length; (length = query[at] ?? 0) !== 0; at += length + 1) labels.push(query.toString('latin1', at + 1, at + 1 + length));
  const name = labels.join('.').toLowerCase();
  const type = query.readUInt16BE(at + 1);
  if (name === 'silent.test') return null;
  if (name === 'flaky.test' && !lost.has(name)) {
    lost.add(name);
    return null;
  }
  const code = name === 'servfail.test' ? 2 : zone[name] === undefined ? 3 : 0;
  const header = Buffer.from(query.subarray(0, 12));
  const found = code === 0 ? records(name, type) : [];
  const question = query.subarray(12, at + 5);
  const size = 12 + question.length + found.reduce((sum, each) => sum + each.length, 0);
  const truncated = size > limitBytes;
  header.writeUInt16BE(0x8180 | code | (truncated ? 0x0200 : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(truncated ? 0 : found.length, 6);
  header.writeUInt32BE(0, 8);
  return Buffer.concat([header, question, ...(truncated ? [] : found)]);
}

/** A name server on loopback for both UDP and TCP, with the zone above; what it says goes through `spoil` on its way. */
export async function startNameServer(spoil: (reply: Buffer) => Buffer = (reply) => reply): Promise<{ port: number; close: () => void }> {
  const lost = new Set<string>();
  const tcp = createServer((socket) => {
    let buffered = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
        const size = buffered.readUInt16BE(0);
        const reply = answer(buffered.subarray(2, 2 + size), 65535, lost);
        buffered = buffered.subarray(2 + size);
        if (reply === null) continue;
        const spoilt = spoil(reply);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(spoilt.length, 0);
        socket.write(Buffer.concat([length, spoilt]));
      }
    });
  });
  const udp = createSocket('udp4');
  udp.on('message', (query, from) => {
    const reply = answer(query, 512, lost);
    if (reply !== null) udp.send(spoil(reply), from.port, from.address);
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const address = tcp.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', resolve));
  return {
    port,
    close: () => {
      tcp.close();
      udp.close();
    },
  };
}
