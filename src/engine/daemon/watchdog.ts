import { find } from 'host:bytes';
import { messageOf } from '../error.ts';
import { sleep, type ByteSource, type Clock, type Connection, type Reporter } from '../ports/index.ts';

export interface WatchdogOptions {
  clock: Clock;
  reporter: Reporter;
  /** systemd's patience; a sign of life is given three times within it. */
  intervalMs: number;
  connect(): Promise<Connection>;
  alive(): void;
}

/**
 * Feeds systemd's watchdog by a real request over our own socket, so that what is proven is that clients are answered. Being busy
 * is no failure: the request only has to be answered within the whole interval, not at once.
 */
export function startWatchdog(options: WatchdogOptions): () => void {
  const { clock, reporter, intervalMs } = options;
  let stopped = false;
  const run = async (): Promise<void> => {
    for (;;) {
      await sleep(clock, intervalMs / 3);
      if (stopped) return;
      try {
        await check(options);
        options.alive();
      } catch (error) {
        reporter.log('warn', 'the self-check failed', { error: messageOf(error) });
      }
    }
  };
  void run();
  return () => {
    stopped = true;
  };
}

async function check({ connect, clock, intervalMs }: WatchdogOptions): Promise<void> {
  const connection = await connect();
  const giveUp = clock.after(intervalMs, () => connection.close());
  try {
    await connection.write('GET /_ping HTTP/1.1\r\nHost: minke\r\nConnection: close\r\n\r\n');
    if (!(await answersOk(connection))) throw new Error('unexpected answer to the self-check');
  } finally {
    giveUp();
    connection.close();
  }
}

async function answersOk(source: ByteSource): Promise<boolean> {
  const part = await source.read();
  return part !== null && find(part, 'HTTP/1.1 200 ') === 0;
}
