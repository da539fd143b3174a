import { humanSizeWithPrecision } from '../../format/index.ts';
import type { PullSource } from '../../http/client.ts';
import type { CommandContext } from '../command.ts';

const INTERVAL_MS = 75;
const SAVE = '\x1b7';
const RESTORE = '\x1b8';
const ERASE_LINE = '\x1b[2K';

export interface CopyProgress {
  /** The same bytes, counted and shown. */
  watched(source: PullSource): PullSource;
  done(destination: string): Promise<void>;
}

function sizeText(sizeBytes: number): string {
  return humanSizeWithPrecision(sizeBytes, 3);
}

/** How much has been copied: while it is, on a terminal, and at the end. */
export function copyProgress({ ports }: CommandContext, header: string, quiet: boolean): CopyProgress {
  const live = !quiet && ports.stderr.isTty;
  let copiedBytes = 0;
  let shownAtMs = 0;
  return {
    watched: (source) => ({
      async read() {
        const part = await source.read();
        copiedBytes += part?.length ?? 0;
        const now = ports.clock.now();
        if (live && now - shownAtMs >= INTERVAL_MS) {
          await ports.stderr.write(`${shownAtMs === 0 ? SAVE : `${RESTORE}${ERASE_LINE}`}${header} - ${sizeText(copiedBytes)}`);
          shownAtMs = now;
        }
        return part;
      },
    }),
    async done(destination) {
      if (quiet) return;
      if (shownAtMs > 0) await ports.stderr.write(`${RESTORE}${ERASE_LINE}`);
      await ports.stderr.write(`Successfully copied ${sizeText(copiedBytes)} to ${destination}\n`);
    },
  };
}
