import { createTarReader, TAR_END, TarError, tarHeaderBlocks, type TarMember } from '../../../src/engine/archive/index.ts';
import { parsePax } from '../../../src/engine/archive/pax.ts';
import { CliError } from '../../../src/engine/cli/cli-error.ts';
import { createDemultiplexer } from '../../../src/engine/cli/session/multiplex.ts';
import { eachLogLine, renderLog } from '../../../src/engine/containers/log-lines.ts';
import { formatGroup, formatHead, readGroup, readHead, damaged } from '../../../src/engine/delta/container.ts';
import { LANE_COUNT } from '../../../src/engine/delta/lanes.ts';
import { EngineError } from '../../../src/engine/error.ts';
import { HttpClientError } from '../../../src/engine/http/client-error.ts';
import { createClientInput } from '../../../src/engine/http/client-input.ts';
import { responseBody } from '../../../src/engine/http/client-body.ts';
import { jsonLines } from '../../../src/engine/http/client-json-lines.ts';
import { readResponseHead } from '../../../src/engine/http/client-response.ts';
import { HttpError } from '../../../src/engine/http/http-error.ts';
import { readBody } from '../../../src/engine/http/body.ts';
import { createInput } from '../../../src/engine/http/input.ts';
import { bodyFraming, parseRequestHead } from '../../../src/engine/http/request-head.ts';
import { webSocketStream } from '../../../src/engine/http/websocket.ts';
import { formatAnswer, parseQuestion, reverseAddress } from '../../../src/engine/network/dns-message.ts';
import { createVeth, parseLink } from '../../../src/engine/network/link-messages.ts';
import { decodeAttributes, decodeMessage } from '../../../src/engine/network/netlink-message.ts';
import type { ByteSource } from '../../../src/engine/ports/index.ts';
import { piecewise } from '../support/sources.ts';
import { tarEntry, tarFile, tarFolder, tarHardlink, tarOf, tarSymlink } from '../support/tar-writer.ts';
import { bytesOf, inputOf, must, type Target } from './fuzz.ts';

/** Pieces of another size for every input: no reader may rely on where pieces end. */
const source = (input: string): ByteSource => piecewise(bytesOf(input), 1 + (input.length % 97));

async function drained(from: ByteSource, limitBytes = 64 * 1024 * 1024): Promise<number> {
  let sizeBytes = 0;
  for (let part = await from.read(); part !== null && sizeBytes < limitBytes; part = await from.read()) sizeBytes += part.length;
  return sizeBytes;
}

function frame(opcode: number, data: Buffer, masked = true): Buffer {
  const head = data.length < 126 ? Buffer.from([0x80 | opcode, (masked ? 0x80 : 0) | data.length]) : Buffer.from([0x80 | opcode, (masked ? 0x80 : 0) | 126, data.length >> 8, data.length & 255]);
  const mask = Buffer.from([1, 2, 3, 4]);
  return Buffer.concat(masked ? [head, mask, Buffer.from(data.map((byte, at) => byte ^ (mask[at % 4] ?? 0)))] : [head, data]);
}

const member: TarMember = { path: 'a', type: 'file', mode: 0o644, uid: 1, gid: 2, sizeBytes: 0, mtimeSeconds: 3, mtimeNanoseconds: 4, linkPath: '', deviceMajor: 0, deviceMinor: 0, xattrs: new Map([['user.x', Uint8Array.of(1, 2)]]) };
const sparse = tarEntry({ path: 'sparse', flag: '0', content: Buffer.from('1\n5\n3\n'.padEnd(512, '\0') + 'abc'), pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 's', 'GNU.sparse.realsize': '10' } });
const archives = [tarOf([tarFolder('d'), tarFile('d/f', 'content'), tarSymlink('l', 'd/f'), tarHardlink('h', 'd/f'), tarEntry({ path: 'n', flag: '3', major: 1, minor: 3 })]), tarOf([sparse]), tarOf([tarEntry({ path: 'x', flag: 'L', content: Buffer.from('long name\0') }), tarFile('x', 'y')]), Buffer.concat([tarHeaderBlocks(member), TAR_END])];

const delta = Buffer.concat([formatHead({ diffId: `sha256:${'a'.repeat(64)}`, sizeBytes: 1000, baseDiffIds: [`sha256:${'b'.repeat(64)}`] }), formatGroup(Array.from({ length: LANE_COUNT }, (_, lane) => ({ sizeBytes: lane, packed: new Uint8Array(lane) })), new Uint8Array(8)), Buffer.from([0])]);

const question = Buffer.from('\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03web\x03one\0\0\x01\0\x01', 'latin1');
const log = '2026-01-01T00:00:00.123456789+00:00 stdout F hello\n2026-01-01T00:00:00.123456789+02:00 stderr P part';
const response = 'HTTP/1.1 200 OK\r\nContent-Type: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: v\r\n\r\n';

/** Parsers of bytes that arrive in pieces, or as one message. */
export const STREAMS: readonly Target[] = [
  {
    name: 'tar archives', corpus: archives.map(inputOf), words: ['ustar\x0000', 'ustar  \0', '\x80\0\0\0\0\0\0\0', '777777777777', '\0'.repeat(512), 'x', 'g', 'L', 'K', 'S', '5', '30 mtime=', 'path=../x\n', 'GNU.sparse.map=0,1,2'], refusal: (error) => error instanceof TarError,
    async run(input) {
      const reader = createTarReader(source(input));
      for (let entry = await reader.next(); entry !== null; entry = await reader.next()) {
        must(entry.sizeBytes >= 0 && Number.isSafeInteger(entry.sizeBytes), `a size of ${entry.sizeBytes}`);
        must(entry.mode >= 0 && entry.mode <= 0o7777 && entry.uid >= 0 && entry.gid >= 0, 'an impossible owner or mode');
        must(Number.isFinite(entry.mtimeSeconds) && entry.mtimeNanoseconds >= 0 && entry.mtimeNanoseconds < 1e9, `a time of ${entry.mtimeSeconds}.${entry.mtimeNanoseconds}`);
        must((await drained(reader.content)) <= input.length, 'more content than there is');
      }
      await reader.drain();
    },
  },
  { name: 'headers whose checksum is right', corpus: archives.map(inputOf), words: ['ustar\x0000', '\x80', '777', '-1', ' '], refusal: (error) => error instanceof TarError, async run(input) {
    // Most mutants fail at the checksum: these have it put right.
    const bytes = Buffer.from(input, 'latin1');
    for (let at = 0; at + 512 <= bytes.length; at += 512) {
      const block = bytes.subarray(at, at + 512);
      if (block[257] !== 0x75) continue;
      block.fill(0x20, 148, 156);
      block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    }
    const reader = createTarReader(piecewise(bytes, 100));
    for (let entry = await reader.next(); entry !== null; entry = await reader.next()) must(entry.sizeBytes >= 0 && Number.isSafeInteger(entry.sizeBytes) && Number.isFinite(entry.mtimeSeconds), 'an impossible number');
  } },
  { name: 'PAX records', corpus: ['9 path=a\n', '12 size=12345\n', '30 mtime=1700000000.123456789\n', '25 SCHILY.xattr.user.x=\0\xff\n'], words: ['=', '\n', ' ', '999', '0', '-5', 'path'], refusal: (error) => error instanceof TarError, run: (input) => parsePax(bytesOf(input), { records: new Map(), xattrs: new Map() }) },
  {
    name: 'bodies of requests', corpus: ['POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\nrest', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhellorest'], words: ['\r\n', '0\r\n\r\n', 'ffffffffffff', ';', '5\r\n'], refusal: (error) => error instanceof HttpError,
    async run(input) {
      const stream = createInput(source(input));
      const head = await stream.readThrough('\r\n\r\n', 65_536, () => new HttpError(431, 'too long'));
      if (head === null) return;
      const body = readBody(stream, bodyFraming(parseRequestHead(inputOf(head).slice(0, -4))));
      must((await drained(body)) <= input.length && body.finished, 'a body that is longer than its message');
    },
  },
  {
    name: 'answers', corpus: [response, 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n', 'HTTP/1.0 200\nContent-Length: 3\n\nabc'], words: ['\r\n', 'HTTP/1.1 ', '100', 'chunked', 'Content-Length: ', 'ffffffffffff'], refusal: (error) => error instanceof HttpClientError,
    async run(input) {
      const stream = createClientInput(source(input) as never);
      const head = await readResponseHead(stream);
      if (head !== null) must((await drained(responseBody('GET', head, stream, () => undefined) as ByteSource)) <= input.length, 'more than there is');
    },
  },
  {
    name: 'lines of JSON', corpus: ['{"a":1}\n\n[2]\n"x"', '{"stream":"x\\n"}\r\n{"error":"y"}\n'], words: ['\n', '{', '}', '"'], refusal: (error) => error instanceof HttpClientError,
    async run(input) {
      const codec = { decode: (bytes: Uint8Array) => Buffer.from(bytes).toString(), encode: (text: string) => Buffer.from(text) };
      for await (const value of jsonLines(source(input) as never, codec as never)) must(value !== undefined, 'nothing');
    },
  },
  {
    name: 'WebSocket frames', corpus: [frame(2, Buffer.from('hello')), frame(9, Buffer.from('ping')), frame(8, Buffer.from([3, 232])), Buffer.concat([frame(1, Buffer.alloc(300)), frame(0, Buffer.from('x'))]), frame(2, Buffer.from('x'), false)].map(inputOf), words: ['\x82\xff\0\0\0\0\0\0\0\x01', '\x81\xfe', '\x88\x80', '\x8f'], refusal: (error) => error instanceof Error && error.message.startsWith('a WebSocket frame'),
    async run(input) {
      let written = 0;
      const connection = { write: (data: unknown): Promise<void> => { written += JSON.stringify(data).length; return Promise.resolve(); }, close: (): void => undefined };
      must((await drained(webSocketStream(source(input), connection as never, true))) <= input.length && written < 40 * input.length + 100, 'more than was sent');
    },
  },
  {
    name: 'multiplexed streams', corpus: ['\x01\0\0\0\0\0\0\x05hello\x02\0\0\0\0\0\0\x01x', '\x03\0\0\0\0\0\0\x03err', '\0\0\0\0\0\0\0\0'], words: ['\x01\0\0\0', '\xff\xff\xff\xff', '\0\0\0\0'], refusal: (error) => error instanceof CliError,
    async run(input) {
      let sizeBytes = 0;
      const streams = createDemultiplexer((_, data) => { sizeBytes += data.length; return Promise.resolve(); });
      const from = source(input);
      for (let part = await from.read(); part !== null; part = await from.read()) await streams.push(part);
      must(sizeBytes <= input.length, 'more than was sent');
      streams.end();
    },
  },
  {
    name: 'logs of conmon', corpus: [`${log}\n`, log], words: ['\n', ' stdout F ', ' stderr P ', '+99:99', ' '],
    run(input) {
      const buffer = bytesOf(input);
      must(eachLogLine(buffer, ({ from, to }) => must(from >= 0 && from <= to && to <= buffer.length, 'a line beyond the buffer')) <= buffer.length, 'more than there is');
      for (const raw of [true, false]) renderLog(buffer, { stdout: true, stderr: true, timestamps: true, since: '', until: '2027', raw });
    },
  },
  {
    name: 'DNS questions', corpus: [question, Buffer.from('\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x014\x013\x012\x011\x07in-addr\x04arpa\0\0\x0c\0\x01', 'latin1')].map(inputOf), words: ['\xc0\x0c', '\x3f', '\0\x01\0\x01', '\x07in-addr\x04arpa\0'],
    run(input) {
      const message = bytesOf(input);
      const asked = parseQuestion(message);
      if (asked === undefined) return;
      must(asked.end <= message.length && asked.name.length <= 255, 'a name that is too long');
      reverseAddress(asked.name);
      const answer = formatAnswer(message, asked, 0, [{ type: 'A', address: '1.2.3.4' }], 5);
      must(answer.length === asked.end + 16, 'an answer of another length');
    },
  },
  {
    name: 'netlink messages', corpus: [createVeth(1, { hostName: 'a', bridgeIndex: 3, mtu: 1500, peerName: 'eth0', peerMac: '02:00:00:00:00:01', peerPid: 5 })].map(inputOf), words: ['\0\0\0\0', '\xff\xff', '\x04\0', '\x10\0\0\0'], refusal: (error) => error instanceof Error && (error.message.startsWith('netlink message of') || error instanceof RangeError),
    run(input) {
      const message = bytesOf(input);
      const { payload } = decodeMessage(message);
      for (const value of decodeAttributes(payload, 16).values()) must(value.length <= message.length, 'an attribute beyond the message');
      parseLink(message);
    },
  },
  {
    name: 'deltas', corpus: [inputOf(delta)], words: ['MINKEDLT', '\x02', '\xff\xff\xff\xff\xff\xff\xff\xff\x7f', '\x80\x80'], refusal: (error) => error instanceof EngineError && error.kind === 'invalid',
    run(input) {
      const bytes = bytesOf(input);
      let at = 0;
      const take = (count: number): Uint8Array => {
        must(Number.isSafeInteger(count) && count >= 0 && count <= 1 << 24, `${count} bytes at once`);
        if (at + count > bytes.length) throw damaged('it is cut short');
        return bytes.subarray(at, (at += count));
      };
      readHead(take);
      for (let groups = 0; take(1)[0] === 1 && groups < 1000; groups += 1) readGroup(take, (_, packed, sizeBytes) => new Uint8Array(Math.min(sizeBytes, packed.length)), { unpacked: 1 << 20, packed: 1 << 20 });
    },
  },
];
