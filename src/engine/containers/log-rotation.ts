import { messageOf, systemErrorCode } from '../error.ts';
import { sleep } from '../ports/index.ts';
import type { Container } from './collection.ts';
import { bundleFolder, type ContainerContext } from './context.ts';
import { logLimits, logPath, shiftLogs } from './log-files.ts';

/** A busy log is looked at this often; it may grow beyond its limit by what comes in between. */
const INTERVAL_MS = 20;
/** How long conmon has for beginning a new file before it is asked for it again. Asked twice it would throw away what the first has got. */
const PATIENCE_MS = 2000;

/**
 * Sets the log of a running container aside whenever it is full, and has conmon begin a new one. conmon writes on into the file that was set
 * aside until it does: nothing is lost, and while there is no daemon the log grows. Returns what ends it.
 */
export function watchLog(context: ContainerContext, container: Container): () => void {
  const { sizeBytes, files: limit } = logLimits(container.record.hostConfig.LogConfig);
  if (sizeBytes === undefined || limit < 2 || container.record.hostConfig.LogConfig.Type === 'none') return () => undefined;
  const { clock, files, reporter } = context.system;
  const path = logPath(context, container.id);
  const watch = files.watch(context.collection.folder(container.id));
  let current = true;
  const run = async (): Promise<void> => {
    // A daemon before us may have asked already.
    let askedAtMs = clock.monotonicMs();
    for (; current; await watch.next(), await sleep(clock, INTERVAL_MS)) {
      const size = sizeOf(context, path);
      if (size !== undefined && size < sizeBytes) continue;
      if (size === undefined) {
        const leftMs = askedAtMs + PATIENCE_MS - clock.monotonicMs();
        if (leftMs > 0) await sleep(clock, leftMs);
        if (!current || sizeOf(context, path) !== undefined) continue;
      } else shiftLogs(files, path, limit);
      context.runtime.reopenLog(bundleFolder(context, container.id));
      askedAtMs = clock.monotonicMs();
    }
  };
  run().catch((error: unknown) => {
    if (current) reporter.log('warn', 'a log is not rotated any more', { container: container.id, error: messageOf(error) });
  });
  return () => {
    current = false;
    watch.close();
  };
}

function sizeOf({ system }: ContainerContext, path: string): number | undefined {
  try {
    return system.files.stat(path).sizeBytes;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
