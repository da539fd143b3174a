import type { ResponseStream } from '../http/index.ts';
import type { PullMessage } from '../pull/index.ts';
import type { PushMessage } from '../push/index.ts';

export interface ErrorMessage {
  errorDetail: { message: string };
  error: string;
}

/** Docker's progress stream: JSON lines in an answer that begins with the first of them. */
export interface MessageStream {
  readonly started: boolean;
  /** Never waits: while the client is slow, a layer's newer progress takes the place of its older. */
  send(message: PushMessage | ErrorMessage): void;
  /** After everything has been sent. */
  end(): Promise<void>;
}

export function createMessageStream(open: () => Promise<ResponseStream>): MessageStream {
  let waiting: (PushMessage | ErrorMessage)[] = [];
  let stream: ResponseStream | undefined;
  let started = false;
  let scheduled = false;
  let gone = false;
  let sending: Promise<void> = Promise.resolve();

  const flush = async (): Promise<void> => {
    try {
      stream ??= await open();
      while (waiting.length > 0) {
        const batch = waiting;
        waiting = [];
        await stream.write(batch.map((message) => `${JSON.stringify(message)}\r\n`));
      }
    } catch {
      // The client has gone, and what is said from now on is for nobody.
      gone = true;
      waiting = [];
    }
    scheduled = false;
  };

  return {
    get started() {
      return started;
    },
    send(message) {
      if (gone) return;
      const older = isProgress(message) ? waiting.findIndex((held) => isProgress(held) && held.id === message.id) : -1;
      if (older >= 0) waiting[older] = message;
      else waiting.push(message);
      started = true;
      if (scheduled) return;
      scheduled = true;
      sending = sending.then(flush);
    },
    async end() {
      await sending;
      if (!gone) await (stream ?? (await open())).end();
    },
  };
}

function isProgress(message: PushMessage | ErrorMessage): message is PullMessage {
  return 'progress' in message && message.id !== undefined;
}
