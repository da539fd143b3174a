import { describe, expect, it } from 'vitest';
import { acceptWebSocket, parseRequestHead } from '../../../src/engine/http/index.ts';
import { webSocketStream } from '../../../src/engine/http/websocket.ts';

const head = (...fields: string[]) => parseRequestHead(['GET /x HTTP/1.1', 'host: d', ...fields].join('\r\n'));
const ASKED = ['Connection: keep-alive, Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'];

function stream(parts: (string | Buffer)[], binary = true) {
  const sent: Buffer[] = [];
  const rest = parts.map((part) => (typeof part === 'string' ? Buffer.from(part.replaceAll(' ', ''), 'hex') : part));
  const connection = {
    write: async (data: string | Uint8Array | readonly (string | Uint8Array)[]) => void sent.push(Buffer.concat((Array.isArray(data) ? data : [data]).map((one: string | Uint8Array) => Buffer.from(one)))),
    close: () => undefined,
  };
  return { socket: webSocketStream({ read: async () => rest.shift() ?? null }, connection, binary), sent: () => Buffer.concat(sent).toString('hex') };
}

describe('a WebSocket', () => {
  it('is accepted with the answer of RFC 6455’s example', () => {
    expect(acceptWebSocket(head(...ASKED))).toEqual({ Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' });
  });

  it.each([0, 1, 2, 3])('is not, without field %i', (missing) => {
    expect(() => acceptWebSocket(head(...ASKED.filter((_, index) => index !== missing)))).toThrow(missing === 3 ? 'version 13' : 'WebSockets');
  });

  it('gives what frames hold, however the connection cuts them, and answers pings', async () => {
    // "Hello" of the RFC's example, a ping, a fragmented message, the end.
    const { socket, sent } = stream(['81 85 37', 'fa 21 3d 7f 9f 4d', '51 58 89 82 00 00 00 00 68 69', '01 81 00 00 00 00 61 80 81 01 01 01 01 63', '88 82 00 00 00 00 03 e8']);
    const read: string[] = [];
    for (let data = await socket.read(); data !== null; data = await socket.read()) read.push(Buffer.from(data).toString());
    expect(read).toEqual(['Hello', 'a', 'b']);
    expect(sent()).toBe(['8a026869', '880203e8'].join(''));
    await socket.write('too late');
    await socket.shutdown();
    expect(sent()).toBe('8a026869880203e8');
  });

  it('sends frames of every size, of the type that is wanted', async () => {
    for (const [size, start] of [[5, '8205'], [200, '827e00c8'], [70_000, '827f0000000000011170']] as const) {
      const { socket, sent } = stream([]);
      await socket.write(Buffer.alloc(size, 1));
      expect(sent().slice(0, start.length + 2)).toBe(`${start}01`);
      expect(sent()).toHaveLength(start.length + 2 * size);
    }
    const { socket, sent } = stream([], false);
    await socket.write(['a', Buffer.from('b')]);
    await socket.shutdown();
    expect(sent()).toBe(['81026162', '880203e8'].join(''));
  });

  it.each([['not masked', '81 05 48 65 6c 6c 6f', 'not masked'], ['an extension', 'c1 85 37 fa 21 3d 7f 9f 4d 51 58', 'extension'], ['too large', '82 ff 00 00 00 00 7f ff ff ff 00 00 00 00', 'too large'], ['a long ping', '89 fe 00 7e 00 00 00 00', 'too large'], ['an unknown type', '83 80 00 00 00 00', 'unknown type']])(
    'ends at a frame that is %s', async (_, frame, reason) => {
      await expect(stream([frame]).socket.read()).rejects.toThrow(reason);
    },
  );

  it('ends with a connection that breaks off', async () => {
    expect(await stream(['81 85 37 fa']).socket.read()).toBeNull();
  });
});
