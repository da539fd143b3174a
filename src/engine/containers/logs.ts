import { concat, find } from 'host:bytes';
import { systemErrorCode } from '../error.ts';
import type { ByteSink, Cancellation, Fd, Files } from '../ports/index.ts';
import type { Container } from './collection.ts';
import type { ContainerContext } from './context.ts';
import { renderLog, type LogFilter } from './log-lines.ts';
import { isLive } from './record.ts';
import { logPath } from './start.ts';

export interface LogRequest extends LogFilter {
  follow: boolean;
  /** Lines from the end; undefined for all. */
  tail: number | undefined;
}

const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 10;

/** Writes a container's log, and what is added to it while it runs if asked to. In memory stands one chunk, however long the log is. */
export async function writeLogs(context: ContainerContext, container: Container, request: LogRequest, sink: ByteSink, gone: Cancellation): Promise<void> {
  const { files } = context.system;
  const path = logPath(context, container.id);
  let fd: Fd;
  try {
    fd = files.open(path, 'read');
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    // Not started yet. A follower waits for its first start.
    if (!request.follow || !(await firstStart(context, container, gone))) return;
    fd = files.open(path, 'read');
  }
  let watch = request.follow ? files.watch(path) : undefined;
  const forget = gone.onCancel(() => watch?.close());
  try {
    let position = request.tail === undefined ? 0 : tailPosition(files, fd, request.tail);
    let kept: Uint8Array = new Uint8Array(0);
    for (;;) {
      // Asked before reading: what was written until the end is then read below.
      const live = isLive(container.record.state);
      for (;;) {
        if (gone.cancelled) return;
        const chunk = new Uint8Array(CHUNK_BYTES);
        const count = files.read(fd, chunk, position);
        if (count === 0) break;
        position += count;
        const buffer = kept.length === 0 ? chunk.subarray(0, count) : concat([kept, chunk.subarray(0, count)]);
        const { pieces, usedBytes, done } = renderLog(buffer, request);
        kept = buffer.slice(usedBytes);
        if (pieces.length > 0) await sink.write(pieces);
        if (done) return;
      }
      // At its size limit conmon goes on in a new file of the same name.
      if (files.fstat(fd).linkCount === 0 && files.exists(path)) {
        files.close(fd);
        fd = files.open(path, 'read');
        position = 0;
        if (watch !== undefined) {
          watch.close();
          watch = files.watch(path);
        }
        continue;
      }
      if (watch === undefined || !live) return;
      await changeOrEnd(container, watch);
    }
  } catch (error) {
    if (!gone.cancelled) throw error;
  } finally {
    forget();
    watch?.close();
    files.close(fd);
  }
}

async function changeOrEnd(container: Container, watch: { next(): Promise<unknown>; close(): void }): Promise<void> {
  let listener: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    listener = resolve;
    container.onExit.add(listener);
  });
  const changed = watch.next();
  // When the end wins, closing the watch later rejects this; nobody listens then.
  changed.catch(() => undefined);
  try {
    await Promise.race([changed, ended]);
  } finally {
    container.onExit.delete(listener);
  }
}

async function firstStart(context: ContainerContext, container: Container, gone: Cancellation): Promise<boolean> {
  return new Promise((resolve) => {
    const unsubscribe = context.events.subscribe((event) => {
      if (event.Actor.ID !== container.id || (event.Action !== 'start' && event.Action !== 'destroy')) return;
      unsubscribe();
      forget();
      resolve(event.Action === 'start');
    });
    const forget = gone.onCancel(() => {
      unsubscribe();
      resolve(false);
    });
  });
}

/** Where the last `lines` lines start. */
function tailPosition(files: Files, fd: Fd, lines: number): number {
  const { sizeBytes } = files.fstat(fd);
  if (lines <= 0) return sizeBytes;
  const chunk = new Uint8Array(CHUNK_BYTES);
  let end = sizeBytes;
  let wanted = lines;
  while (end > 0) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const count = files.read(fd, chunk.subarray(0, end - start), start);
    const ends: number[] = [];
    for (let at = find(chunk, NEWLINE); at >= 0 && at < count; at = find(chunk, NEWLINE, at + 1)) ends.push(at);
    // The very last line end closes the last line; it starts none.
    if (end === sizeBytes && ends.at(-1) === count - 1) ends.pop();
    const index = ends.length - wanted;
    const at = ends[index];
    if (index >= 0 && at !== undefined) return start + at + 1;
    wanted -= ends.length;
    end = start;
  }
  return 0;
}
