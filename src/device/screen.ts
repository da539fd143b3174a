import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateSync, inflateSync } from 'node:zlib';

import { readPpm, type Pixels } from './pixels.ts';
import { connectQmp, type Qmp } from './qmp.ts';

/** What was on the screen, `seconds` after the emulator was started. */
export interface Sighting {
  seconds: number;
  pixels(): Pixels;
}

/** A board's screen, which is looked at every other second from the start of its emulator to its end. */
export interface Screen {
  /** Of the emulator that runs. */
  seen(): readonly Sighting[];
  /** Of the one before it. */
  seenBefore(): readonly Sighting[];
  now(): Promise<Pixels>;
  /** Presses keys of a keyboard together, by QEMU's names (`alt`, `f2`). */
  press(...keys: string[]): Promise<void>;
}

export interface ScreenWatch extends Screen {
  /** To be called when an emulator has been started; `socket` is its control socket on the host, in the folder that it knows as /disk. */
  start(socket: string): void;
  /** Settles when it is looked at no more. */
  stop(): Promise<void>;
}

const everyMs = 2000;
const fileName = 'screen.ppm';

export function watchScreen(): ScreenWatch {
  /** Contents by their digest: a screen that stands still is kept once. Packed, since text scrolls. */
  const contents = new Map<string, Buffer>();
  let [seen, before]: [Sighting[], Sighting[]] = [[], []];
  let socket = '';
  let qmp: Promise<Qmp> | null = null;
  let stopped = true;
  let watching: Promise<void> = Promise.resolve();
  let turn: Promise<unknown> = Promise.resolve();

  const dump = async (control: Qmp): Promise<Buffer> => {
    await control.execute('screendump', { filename: `/disk/${fileName}` });
    return readFile(join(dirname(socket), fileName));
  };
  /** One at a time: there is one file. */
  const take = (control: Qmp): Promise<Buffer> => {
    const next = turn.then(() => dump(control));
    turn = next.catch(() => undefined);
    return next;
  };
  const keep = (file: Buffer, seconds: number): void => {
    const digest = createHash('sha256').update(file).digest('hex');
    const packed = contents.get(digest) ?? deflateSync(file, { level: 1 });
    contents.set(digest, packed);
    seen.push({ seconds, pixels: () => readPpm(inflateSync(packed)) });
  };
  const watch = async (): Promise<void> => {
    const started = Date.now();
    while (!stopped) {
      try {
        qmp ??= connectQmp(socket);
        keep(await take(await qmp), (Date.now() - started) / 1000);
      } catch {
        // It does not listen yet, or has ended.
        qmp = null;
      }
      await sleep(everyMs);
    }
  };
  const connected = (): Promise<Qmp> => {
    if (qmp === null) throw new Error('QEMU does not answer');
    return qmp;
  };
  return {
    seen: () => seen,
    seenBefore: () => before,
    now: async () => readPpm(await take(await connected())),
    press: async (...keys) => void (await (await connected()).execute('send-key', { keys: keys.map((data) => ({ type: 'qcode', data })) })),
    start: (path) => {
      [before, seen] = [seen, []];
      socket = path;
      stopped = false;
      watching = watch();
    },
    stop: async () => {
      stopped = true;
      await watching;
      (await qmp?.catch(() => null))?.close();
      qmp = null;
    },
  };
}
