import type { Cancellation, Clock } from '../ports/index.ts';
import { RegistryError } from '../registry/index.ts';

/** A layer that is to be fetched. */
export interface Admitted {
  /** The pull that it is for. */
  pull: object;
  sizeBytes: number;
  cancellation: Cancellation;
}

/** Lets layers be fetched a few at a time; on a slow network one after the other. */
export interface Admission {
  /** Runs `action` when it is its turn; it tells how many bytes have come in all. Throws 'CANCELLED' when the pull ends before. */
  run<T>(layer: Admitted, action: (received: (sizeBytes: number) => void) => Promise<T>): Promise<T>;
}

const LAYERS_AT_A_TIME = 3;
/** Below it, several layers at a time would all be unfinished when the power goes: what is finished is kept, and the rest is fetched anew. */
const FAST_BYTES_PER_SECOND = 1_000_000;
/** The network is judged by so much at least, or by what has come in so long. */
const JUDGED_BYTES = 512 * 1024;
const JUDGED_MS = 2000;
/** So little is soon there whatever else comes. */
const SMALL_BYTES = 256 * 1024;
/** A server that sends nothing for so long holds up no other layer. */
const STALLED_MS = 5000;

interface Waiting {
  layer: Admitted;
  start(): void;
}

interface Running {
  layer: Admitted;
  /** Bytes that it had when something came last. */
  sizeBytes: number;
  heardAtMs: number;
  stalled: boolean;
  stopWatch(): void;
}

export function createAdmission(clock: Clock): Admission {
  const waiting: Waiting[] = [];
  const running = new Set<Running>();
  let fast = false;
  let judgedSinceMs: number | undefined;
  let judgedBytes = 0;

  const isSmall = ({ sizeBytes }: Admitted): boolean => sizeBytes <= SMALL_BYTES;
  const mayStart = (layer: Admitted): boolean =>
    running.size < LAYERS_AT_A_TIME && (fast || isSmall(layer) || [...running].every((other) => other.layer.pull !== layer.pull || other.stalled || isSmall(other.layer)));
  const admit = (): void => {
    const next = (): number => waiting.findIndex(({ layer }) => mayStart(layer));
    for (let place = next(); place >= 0; place = next()) waiting.splice(place, 1)[0]?.start();
  };
  const watch = (entry: Running, delayMs: number): void => {
    entry.stopWatch = clock.after(delayMs, () => {
      const leftMs = entry.heardAtMs + STALLED_MS - clock.monotonicMs();
      if (leftMs > 0) return watch(entry, leftMs);
      entry.stalled = true;
      admit();
    });
  };
  const judge = (sizeBytes: number): void => {
    const now = clock.monotonicMs();
    if (judgedSinceMs === undefined) {
      // How long the first bytes took says nothing of those that follow.
      judgedSinceMs = now;
      return;
    }
    judgedBytes += sizeBytes;
    const tookMs = now - judgedSinceMs;
    if (judgedBytes < JUDGED_BYTES && tookMs < JUDGED_MS) return;
    fast = judgedBytes * 1000 >= FAST_BYTES_PER_SECOND * tookMs;
    judgedSinceMs = now;
    judgedBytes = 0;
    if (fast) admit();
  };

  const enter = (layer: Admitted): Running => {
    const entry: Running = { layer, sizeBytes: 0, heardAtMs: clock.monotonicMs(), stalled: false, stopWatch: () => undefined };
    running.add(entry);
    watch(entry, STALLED_MS);
    return entry;
  };
  const leave = (entry: Running): void => {
    entry.stopWatch();
    running.delete(entry);
    if (running.size === 0) [judgedSinceMs, judgedBytes] = [undefined, 0];
    // The next pull may be from elsewhere, or over another network.
    if (running.size + waiting.length === 0) fast = false;
    admit();
  };
  const hear = (entry: Running, sizeBytes: number): void => {
    entry.heardAtMs = clock.monotonicMs();
    if (entry.stalled) watch(entry, STALLED_MS);
    entry.stalled = false;
    judge(Math.max(0, sizeBytes - entry.sizeBytes));
    entry.sizeBytes = sizeBytes;
  };
  const turnOf = (layer: Admitted): Promise<Running> =>
    new Promise((resolve, reject) => {
      const turn: Waiting = {
        layer,
        start() {
          forget();
          resolve(enter(layer));
        },
      };
      waiting.push(turn);
      const forget = layer.cancellation.onCancel(() => {
        const place = waiting.indexOf(turn);
        if (place >= 0) waiting.splice(place, 1);
        reject(new RegistryError('CANCELLED', 'context canceled'));
      });
    });

  return {
    async run(layer, action) {
      const entry = mayStart(layer) ? enter(layer) : await turnOf(layer);
      try {
        return await action((sizeBytes) => hear(entry, sizeBytes));
      } finally {
        leave(entry);
      }
    },
  };
}
