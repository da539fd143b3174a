/** One UDP datagram of a packet capture. */
export interface Datagram {
  source: string;
  destination: string;
  destinationPort: number;
  payload: Buffer;
}

/**
 * UDP datagrams in a capture file (pcap, Ethernet), IPv4 and IPv6 without extension headers. A capture that is still
 * being written may end in the middle of a packet: that one is left out.
 */
export function* udpDatagrams(capture: Buffer): Generator<Datagram> {
  if (capture.length < 24 || capture.readUInt32LE(0) !== 0xa1b2c3d4) return;
  for (let at = 24; at + 16 <= capture.length; ) {
    const length = capture.readUInt32LE(at + 8);
    const frame = capture.subarray(at + 16, at + 16 + length);
    at += 16 + length;
    if (frame.length < length) return;
    const datagram = parseFrame(frame);
    if (datagram) yield datagram;
  }
}

function parseFrame(frame: Buffer): Datagram | null {
  if (frame.length < 14) return null;
  const type = frame.readUInt16BE(12);
  const packet = frame.subarray(14);
  if (type === 0x0800 && packet.length >= 20 && packet[9] === 17) {
    const header = ((packet[0] ?? 0) & 15) * 4;
    return udp(packet.subarray(header), dotted(packet.subarray(12, 16)), dotted(packet.subarray(16, 20)));
  }
  if (type === 0x86dd && packet.length >= 40 && packet[6] === 17) {
    return udp(packet.subarray(40), packet.toString('hex', 8, 24), packet.toString('hex', 24, 40));
  }
  return null;
}

function udp(segment: Buffer, source: string, destination: string): Datagram | null {
  if (segment.length < 8) return null;
  return { source, destination, destinationPort: segment.readUInt16BE(2), payload: segment.subarray(8, segment.readUInt16BE(4)) };
}

const dotted = (bytes: Buffer): string => [...bytes].join('.');

/** Addresses that multicast DNS answers in a capture give to a name such as `minke.local` (A records). */
export function announcedAddresses(capture: Buffer, name: string): string[] {
  const found = new Set<string>();
  for (const datagram of udpDatagrams(capture)) {
    if (datagram.destinationPort !== 5353) continue;
    for (const record of answers(datagram.payload)) {
      if (record.type === 1 && record.name.toLowerCase() === name.toLowerCase() && record.data.length === 4) found.add(dotted(record.data));
    }
  }
  return [...found];
}

interface DnsRecord {
  name: string;
  type: number;
  data: Buffer;
}

/** Answer records of a DNS message; nothing for queries and for messages that do not parse. */
function answers(message: Buffer): DnsRecord[] {
  if (message.length < 12 || (message.readUInt16BE(2) & 0x8000) === 0) return [];
  const records: DnsRecord[] = [];
  try {
    let at = 12;
    for (let question = message.readUInt16BE(4); question > 0; question--) at = readName(message, at).next + 4;
    const total = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
    for (let record = 0; record < total; record++) {
      const { name, next } = readName(message, at);
      const length = message.readUInt16BE(next + 8);
      records.push({ name, type: message.readUInt16BE(next), data: message.subarray(next + 10, next + 10 + length) });
      at = next + 10 + length;
    }
  } catch {
    return records; // cut short
  }
  return records;
}

/** A domain name at a position of a message, following compression pointers. */
export function readName(message: Buffer, start: number): { name: string; next: number } {
  const labels: string[] = [];
  let at = start;
  let next: number | null = null;
  for (let jumps = 0; jumps < 32; ) {
    const length = message.readUInt8(at);
    if (length === 0) return { name: labels.join('.'), next: next ?? at + 1 };
    if (length >= 0xc0) {
      next ??= at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
      jumps++;
      continue;
    }
    labels.push(message.toString('utf8', at + 1, at + 1 + length));
    at += 1 + length;
  }
  throw new Error('a DNS name that points at itself');
}
