import { text } from 'host:bytes';
import type { Chunk } from '../ports/index.ts';
import type { PullMessage } from '../pull/index.ts';

/** Where a build's messages go; waits for slow clients, so that a program's output does not pile up. */
export interface BuildOutput {
  /** Nothing has been sent: a failure can still be a status. */
  readonly started: boolean;
  /** Text for people; nothing when the build is to be quiet. */
  say(line: string): Promise<void>;
  /** What a program writes. Characters that are cut in two are put together. */
  program(stream: 'out' | 'error', bytes: Uint8Array): Promise<void>;
  /** Progress of a pull; never waits. */
  progress(message: PullMessage): void;
  result(imageId: string): Promise<void>;
  /** The id alone, which is all that a quiet build says. */
  quietResult(imageId: string): Promise<void>;
  fail(message: string, exitCode: number | undefined): Promise<void>;
  end(): Promise<void>;
}

interface Sink {
  write(data: Chunk): Promise<void>;
  end(): Promise<void>;
}

const PROGRESS_LIMIT = 1000;
/** Clients of the classic builder tell a program's errors by their colour. */
const RED = '\u001b[91m';
const PLAIN = '\u001b[0m';

export function createBuildOutput(open: () => Promise<Sink>, quiet: boolean): BuildOutput {
  let sink: Promise<Sink> | undefined;
  let last: Promise<void> = Promise.resolve();
  let gone = false;
  let waiting = 0;
  const cut: Record<'out' | 'error', Uint8Array> = { out: new Uint8Array(0), error: new Uint8Array(0) };

  const deliver = async (before: Promise<void>, to: Promise<Sink>, message: object): Promise<void> => {
    await before;
    try {
      if (!gone) await (await to).write(`${JSON.stringify(message)}\r\n`);
    } catch {
      // The client has gone; the build learns of it by its cancellation.
      gone = true;
    }
    waiting -= 1;
  };
  const send = (message: object): Promise<void> => {
    sink ??= open();
    const to = sink;
    waiting += 1;
    last = deliver(last, to, message);
    return last;
  };

  return {
    get started() {
      return sink !== undefined;
    },
    say: (line) => (quiet ? Promise.resolve() : send({ stream: line })),
    async program(stream, bytes) {
      if (quiet) return;
      const all = cut[stream].length === 0 ? bytes : joined(cut[stream], bytes);
      const whole = wholeCharacters(all);
      cut[stream] = all.slice(whole);
      if (whole === 0) return;
      const words = text(all, 0, whole);
      await send({ stream: stream === 'error' ? `${RED}${words}${PLAIN}` : words });
    },
    progress(message) {
      // What a slow client has not taken yet is enough for it.
      if (!quiet && (waiting < PROGRESS_LIMIT || !('progress' in message))) void send(message);
    },
    result: (imageId) => send({ aux: { ID: imageId } }),
    quietResult: (imageId) => send({ stream: `${imageId}\n` }),
    fail: (message, exitCode) => send({ errorDetail: { ...(exitCode === undefined ? {} : { code: exitCode }), message }, error: message }),
    async end() {
      sink ??= open();
      await last;
      try {
        if (!gone) await (await sink).end();
      } catch {
        // As above.
      }
    },
  };
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

/** How many bytes there are up to the last whole UTF-8 character; what is no UTF-8 at all counts as whole. */
export function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return bytes.length;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
