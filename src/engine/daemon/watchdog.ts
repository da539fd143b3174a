import { find } from 'host:bytes';
import { messageOf } from '../error.ts';
import type { ByteSource, Clock, Connection, Reporter } from '../ports/index.ts';

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
  let cancel: () => void = () => undefined;
  const next = (): void => {
    if (stopped) return;
    cancel = clock.after(intervalMs / 3, () => {
      void check(options).then(
        () => {
          options.alive();
          next();
        },
        (error: unknown) => {
          reporter.log('warn', 'the self-check failed', { error: messageOf(error) });
          next();
        },
      );
    });
  };
  next();
  return () => {
    stopped = true;
    cancel();
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
