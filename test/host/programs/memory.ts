// A small server and a client that asks it again and again: nothing may grow.
import { find } from 'host:bytes';
import { connect, listen, type Stream } from 'host:net';
import { log, memoryUsage, runGc } from 'host:process';
import { monotonicMs } from 'host:timers';
import { check, ok } from './check.ts';

async function answer(stream: Stream): Promise<void> {
  try {
    for (let request; (request = await stream.read()) !== null; ) {
      if (find(request, '\r\n\r\n') < 0) break;
      await stream.write(['HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n', '{"ok": "true"}']);
    }
  } catch {
    // the other side went away
  } finally {
    stream.close();
  }
}

async function serve(path: string): Promise<never> {
  const listener = listen({ unix: path });
  for (;;) void answer(await listener.accept());
}

/** Serves for ever: start-up time and idle memory are measured on it from outside. */
export function serverProgram([path = '/tmp/server.sock']: string[]): Promise<never> {
  return serve(path);
}

export async function memoryProgram([folder = '/tmp', countText = '100000', what = 'all']: string[]): Promise<void> {
  const count = Number(countText);
  const path = `${folder}/memory.sock`;
  const listener = listen({ unix: path });
  void (async () => {
    for (;;) void answer(await listener.accept());
  })().catch(() => undefined);

  const requests = async (n: number, each: number): Promise<void> => {
    let stream: Stream | undefined;
    for (let i = 0; i < n; i++) {
      if (i % each === 0) {
        stream?.close();
        stream = await connect({ unix: path });
      }
      await stream?.write('GET /x HTTP/1.1\r\nhost: h\r\n\r\n');
      await stream?.read();
    }
    stream?.close();
  };
  await check(`memory after ${count} requests is what it was`, async () => {
    await requests(count / 10, 10);
    runGc();
    const before = memoryUsage();
    const start = monotonicMs();
    await Promise.all([requests(count / 2, 10), requests(count / 2, 1000)]);
    const tookMs = monotonicMs() - start;
    runGc();
    const after = memoryUsage();
    log(`${Math.round(count / (tookMs / 1000))} requests/s, resident ${before.residentBytes} → ${after.residentBytes}, heap ${before.heapUsedBytes} → ${after.heapUsedBytes}`);
    ok(after.heapUsedBytes - before.heapUsedBytes < 50_000, `heap grew by ${after.heapUsedBytes - before.heapUsedBytes}`);
    // a sanitizer keeps freed memory in quarantine
    if (what !== 'heap') ok(after.residentBytes - before.residentBytes < 1_000_000, `resident grew by ${after.residentBytes - before.residentBytes}`);
  });
  listener.close();
}
