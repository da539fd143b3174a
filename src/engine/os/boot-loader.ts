import type { Release } from './release.ts';
import type { Slot } from './slots.ts';

/** What the boot partition says. */
export interface LoaderState {
  /** The slot that is started when nothing is tried. */
  kept: Slot;
  /** A slot that the next start tries, once. */
  next?: Slot;
  /** A slot that has been tried and not kept. */
  tried?: Slot;
}

/** The loader's choice. Every change is one rename on the boot partition, so that a power cut leaves the old or the new one. */
export interface BootLoader {
  read(): LoaderState;
  /** The next start tries this slot. */
  tryNext(slot: Slot, release: Pick<Release, 'os' | 'commandLine' | 'slot' | 'unified'>): Promise<void>;
  /** The slot is started from now on, and is on trial no more. */
  keep(slot: Slot): Promise<void>;
  /** The slot is not started any more, neither tried nor else. */
  forget(slot: Slot): Promise<void>;
}
