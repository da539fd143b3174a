import { monotonicMs, unref } from 'host:timers';
import { check, equal, ok, sleep } from './check.ts';

export async function timersProgram(): Promise<void> {
  await check('timeouts fire in order, with their arguments', async () => {
    const seen: string[] = [];
    setTimeout((word: string) => seen.push(word), 30, 'late');
    setTimeout((a: string, b: number) => seen.push(`${a}${b}`), 5, 'early', 7);
    await sleep(80);
    equal(seen, ['early7', 'late']);
  });
  await check('a timeout waits at least as long as asked', async () => {
    for (let round = 0; round < 20; round++) {
      const asked = 2.5 + round / 4;
      const start = monotonicMs();
      await sleep(asked);
      const took = monotonicMs() - start;
      ok(took >= asked, `${took} ms of ${asked}`);
    }
  });
  await check('cleared timers do not fire, clearing twice is fine', async () => {
    let fired = 0;
    const id = setTimeout(() => fired++, 5);
    clearTimeout(id);
    clearTimeout(id);
    clearTimeout(undefined);
    clearTimeout(123456);
    await sleep(20);
    equal(fired, 0);
  });
  await check('an interval ends when it clears itself', async () => {
    let ticks = 0;
    await new Promise<void>((resolve) => {
      const id = setInterval(() => {
        if (++ticks === 4) {
          clearInterval(id);
          resolve();
        }
      }, 2);
    });
    await sleep(20);
    equal(ticks, 4);
  });
  await check('microtasks run before the next timer', async () => {
    const seen: string[] = [];
    setTimeout(() => {
      seen.push('a');
      queueMicrotask(() => seen.push('micro'));
      void Promise.resolve().then(() => seen.push('promise'));
    }, 1);
    setTimeout(() => seen.push('b'), 1);
    await sleep(20);
    equal(seen, ['a', 'micro', 'promise', 'b']);
  });
  await check('ten thousand timers', async () => {
    let fired = 0;
    for (let i = 0; i < 10_000; i++) setTimeout(() => fired++, i % 20);
    for (let tries = 0; tries < 500; tries++) {
      await sleep(10);
      if (fired === 10_000) return;
    }
    equal(fired, 10_000);
  });
  // the program ends although this one is armed: the test would time out otherwise
  unref(setInterval(() => undefined, 1000));
}
