import { describe, expect, it } from 'vitest';
import { createCancellation, type Clock } from '../../../src/engine/ports/index.ts';
import { createAdmission } from '../../../src/engine/pull/admission.ts';

/** A clock that moves when it is told to. */
function handClock(): Clock & { pass(durationMs: number): void } {
  let now = 0;
  const timers = new Set<{ at: number; callback: () => void }>();
  return {
    now: () => now,
    monotonicMs: () => now,
    after(delayMs, callback) {
      const timer = { at: now + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    pass(durationMs) {
      const end = now + durationMs;
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
        if (next === undefined) break;
        now = next.at;
        timers.delete(next);
        next.callback();
      }
      now = end;
    },
  };
}

const MB = 1_000_000;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function lab() {
  const clock = handClock();
  const admission = createAdmission(clock);
  const begun: string[] = [];
  const layers = new Map<string, { received(sizeBytes: number): void; end(): void }>();
  const outcomes: Promise<unknown>[] = [];
  const fetch = (name: string, sizeBytes: number, pull = createCancellation()): void => {
    outcomes.push(
      admission.run({ pull, sizeBytes, cancellation: pull }, (received) => {
        begun.push(name);
        return new Promise<string>((resolve) => layers.set(name, { received, end: () => resolve(name) }));
      }).catch((error: unknown) => (error as { code: string }).code),
    );
  };
  const layer = (name: string): { received(sizeBytes: number): void; end(): void } => {
    const found = layers.get(name);
    if (found === undefined) throw new Error(`${name} has not begun`);
    return found;
  };
  /** So much a second for a while, in pieces as they come from a socket. */
  const trickle = (name: string, fromBytes: number, bytesPerSecond: number, seconds: number): void => {
    for (let step = 1; step <= seconds * 10; step += 1) {
      clock.pass(100);
      layer(name).received(fromBytes + (bytesPerSecond / 10) * step);
    }
  };
  return { clock, begun, fetch, layer, trickle, outcomes };
}

describe('layers of a pull', () => {
  it('come one after the other while the network is slow', async () => {
    const { begun, fetch, layer, trickle } = lab();
    const pull = createCancellation();
    for (const name of ['a', 'b', 'c']) fetch(name, 10 * MB, pull);
    trickle('a', 0, 32_000, 60);
    expect(begun).toEqual(['a']);
    layer('a').end();
    await settled();
    expect(begun).toEqual(['a', 'b']);
  });

  it('come three at a time as soon as it is known to be fast', async () => {
    const { begun, fetch, trickle, layer } = lab();
    const pull = createCancellation();
    for (const name of ['a', 'b', 'c', 'd']) fetch(name, 10 * MB, pull);
    trickle('a', 0, 5 * MB, 0.4);
    await settled();
    expect(begun).toEqual(['a', 'b', 'c']);
    layer('b').end();
    await settled();
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
  });

  it('are again fetched one after the other when the network has become slow', async () => {
    const { begun, fetch, trickle, layer } = lab();
    const pull = createCancellation();
    for (const name of ['a', 'b', 'c', 'd', 'e']) fetch(name, 50 * MB, pull);
    trickle('a', 0, 5 * MB, 0.4);
    await settled();
    trickle('a', 2 * MB, 30_000, 3);
    for (const name of ['b', 'c']) layer(name).end();
    await settled();
    expect(begun).toEqual(['a', 'b', 'c']);
    layer('a').end();
    await settled();
    expect(begun).toEqual(['a', 'b', 'c', 'd']);
  });

  it('are judged anew by the next pull', async () => {
    const { begun, fetch, trickle, layer } = lab();
    fetch('a', 10 * MB);
    trickle('a', 0, 5 * MB, 1);
    layer('a').end();
    await settled();
    const pull = createCancellation();
    for (const name of ['b', 'c']) fetch(name, 10 * MB, pull);
    expect(begun).toEqual(['a', 'b']);
  });

  it('that are small wait for no large one, nor does another pull', async () => {
    const { begun, fetch, trickle } = lab();
    const pull = createCancellation();
    fetch('large', 10 * MB, pull);
    fetch('later', 10 * MB, pull);
    fetch('small', 1000, pull);
    fetch('other pull', 10 * MB);
    trickle('large', 0, 32_000, 10);
    await settled();
    expect(begun).toEqual(['large', 'small', 'other pull']);
  });

  it('go on when the server sends nothing for one of them', async () => {
    const { clock, begun, fetch, layer, trickle } = lab();
    const pull = createCancellation();
    for (const name of ['a', 'b', 'c']) fetch(name, 10 * MB, pull);
    clock.pass(4000);
    layer('a').received(1000);
    clock.pass(4000);
    await settled();
    expect(begun).toEqual(['a']);
    clock.pass(2000);
    await settled();
    expect(begun).toEqual(['a', 'b']);
    trickle('b', 0, 20_000, 10);
    expect(begun).toEqual(['a', 'b']);
  });

  it('do not begin when the pull has ended', async () => {
    const { begun, fetch, layer, outcomes } = lab();
    const pull = createCancellation();
    for (const name of ['a', 'b']) fetch(name, 10 * MB, pull);
    pull.cancel();
    await settled();
    expect(await outcomes[1]).toBe('CANCELLED');
    layer('a').end();
    expect(await outcomes[0]).toBe('a');
    expect(begun).toEqual(['a']);
  });
});
