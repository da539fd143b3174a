import type { PullSource, TextCodec } from './client-connection.ts';
import { HttpClientError } from './client-error.ts';

const lineFeed = 10;
const lineLimitBytes = 16 * 1024 * 1024;

/** Text lines out of a body, without their line ends. */
export async function* textLines(body: PullSource, codec: TextCodec): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let heldBytes = 0;
  const joined = (last: Uint8Array): string => {
    if (parts.length === 0) return codec.decode(last);
    const whole = new Uint8Array(heldBytes + last.length);
    let offset = 0;
    for (const part of [...parts, last]) {
      whole.set(part, offset);
      offset += part.length;
    }
    parts = [];
    heldBytes = 0;
    return codec.decode(whole);
  };
  for (let chunk = await body.read(); chunk !== null; chunk = await body.read()) {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      yield joined(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) {
      parts.push(chunk.slice(start));
      heldBytes += chunk.length - start;
      if (heldBytes > lineLimitBytes) throw new HttpClientError('too-large', `a line of the answer is longer than ${lineLimitBytes} bytes`);
    }
  }
  if (heldBytes > 0) yield joined(new Uint8Array());
}

/** One JSON value a line, as events and progress messages come. */
export async function* jsonLines(body: PullSource, codec: TextCodec): AsyncGenerator<unknown> {
  for await (const line of textLines(body, codec)) {
    if (line.trim() === '') continue;
    try {
      yield JSON.parse(line);
    } catch {
      throw new HttpClientError('malformed', `the answer holds a line that is not JSON: "${line.slice(0, 60)}"`);
    }
  }
}
