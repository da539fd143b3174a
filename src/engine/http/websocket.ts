import { base64, concat, encode, fromHex, xorMask } from 'host:bytes';
import { sha1 } from 'host:crypto';
import type { ByteSource, Connection } from '../ports/index.ts';
import { HttpError } from './http-error.ts';
import { headerHas, type RequestHead } from './request-head.ts';
import type { Headers } from './response-head.ts';

/** RFC 6455, the server's side. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
/** Of one frame of a client. */
const FRAME_LIMIT_BYTES = 1024 * 1024;
const CONTROL_LIMIT_BYTES = 125;
const FINAL = 0x80;
const MASKED = 0x80;

/** Fields of the answer that makes a WebSocket of the connection. Throws HttpError for a request that asks for none. */
export function acceptWebSocket(head: RequestHead): Headers {
  const key = head.headers.get('sec-websocket-key') ?? '';
  if (!headerHas(head, 'connection', 'upgrade') || !headerHas(head, 'upgrade', 'websocket') || !/^[A-Za-z0-9+/]{22}==$/.test(key)) throw new HttpError(400, 'this address is for WebSockets');
  if (head.headers.get('sec-websocket-version') !== '13') throw new HttpError(400, 'only version 13 of WebSocket is understood');
  return { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': base64(fromHex(sha1(`${key}${GUID}`))) };
}

/** What clients say in data frames as a stream of bytes, and what is written as frames of their own. Pings are answered; `binary` or text is what ours say they are. */
export function webSocketStream(input: ByteSource, connection: Pick<Connection, 'write' | 'close'>, binary: boolean): Connection {
  const frames = frameReader(input);
  let closing = false;
  const send = (opcode: number, data: Uint8Array): Promise<void> => connection.write([frameHead(opcode, data.length), data]);
  const sayGoodbye = async (data: Uint8Array): Promise<void> => {
    if (closing) return;
    closing = true;
    await send(OPCODE.close, data);
  };
  return {
    async read() {
      for (;;) {
        const frame = await frames();
        if (frame === null) return null;
        if (frame.opcode === OPCODE.close) {
          await sayGoodbye(frame.data.subarray(0, 2));
          return null;
        }
        if (frame.opcode === OPCODE.ping) await send(OPCODE.pong, frame.data);
        else if (frame.opcode <= OPCODE.binary && frame.data.length > 0) return frame.data;
        else if (frame.opcode > OPCODE.pong || (frame.opcode > OPCODE.binary && frame.opcode < OPCODE.close)) throw new Error(`a WebSocket frame has the unknown type ${frame.opcode}`);
      }
    },
    async write(chunk) {
      const parts = typeof chunk === 'string' || chunk instanceof Uint8Array ? [chunk] : chunk;
      const data = concat(parts.map((part) => (typeof part === 'string' ? encode(part) : part)));
      if (!closing && data.length > 0) await send(binary ? OPCODE.binary : OPCODE.text, data);
    },
    shutdown: () => sayGoodbye(Uint8Array.of(0x03, 0xe8)),
    close: () => connection.close(),
  };
}

/** Reads one frame at a time; null at the end of the connection. */
function frameReader(input: ByteSource): () => Promise<{ opcode: number; data: Uint8Array } | null> {
  let kept: Uint8Array = new Uint8Array(0);
  const need = async (count: number): Promise<boolean> => {
    while (kept.length < count) {
      const part = await input.read();
      if (part === null) return false;
      kept = kept.length === 0 ? part : concat([kept, part]);
    }
    return true;
  };
  return async () => {
    if (!(await need(2))) return null;
    const [first = 0, second = 0] = kept;
    const opcode = first & 0x0f;
    const short = second & 0x7f;
    if ((second & MASKED) === 0 || (first & 0x70) !== 0) throw new Error('a WebSocket frame is not masked, or wants an extension');
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    const headBytes = 2 + lengthBytes + 4;
    if (!(await need(headBytes))) return null;
    const view = new DataView(kept.buffer, kept.byteOffset, kept.length);
    const size = short === 127 ? Number(view.getBigUint64(2)) : short === 126 ? view.getUint16(2) : short;
    if (size > (opcode >= OPCODE.close ? CONTROL_LIMIT_BYTES : FRAME_LIMIT_BYTES)) throw new Error(`a WebSocket frame of ${size} bytes is too large`);
    if (!(await need(headBytes + size))) return null;
    const data = kept.slice(headBytes, headBytes + size);
    xorMask(data, kept.subarray(headBytes - 4, headBytes));
    kept = kept.subarray(headBytes + size);
    return { opcode, data };
  };
}

function frameHead(opcode: number, sizeBytes: number): Uint8Array {
  const head = new Uint8Array(sizeBytes < 126 ? 2 : sizeBytes < 65_536 ? 4 : 10);
  const view = new DataView(head.buffer);
  head[0] = FINAL | opcode;
  head[1] = sizeBytes < 126 ? sizeBytes : sizeBytes < 65_536 ? 126 : 127;
  if (head.length === 4) view.setUint16(2, sizeBytes);
  if (head.length === 10) view.setBigUint64(2, BigInt(sizeBytes));
  return head;
}
