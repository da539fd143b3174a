import { concat, find } from 'host:bytes';
import type { ByteSink, Cancellation, Fd, Files } from '../ports/index.ts';
import type { Container } from './collection.ts';
import type { ContainerContext } from './context.ts';
import { logPath, nextLog, openLogs, type LogFile } from './log-files.ts';
import { endsLine, renderLog, type LogFilter } from './log-lines.ts';
import { isLive, ZERO_TIME } from './record.ts';

export interface LogRequest extends LogFilter {
  follow: boolean;
  /** Lines from the end; undefined for all. */
  tail: number | undefined;
}

const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 10;

/**
 * Writes a container's log, and what is added to it while it runs if asked to, through all of its files. In memory stands one chunk, however
 * long the log is.
 */
export async function writeLogs(context: ContainerContext, container: Container, request: LogRequest, sink: ByteSink, gone: Cancellation): Promise<void> {
  const { files } = context.system;
  const path = logPath(context, container.id);
  // Not started yet, or just being started. A follower waits for it.
  if (container.record.state.startedAt === ZERO_TIME && (!request.follow || !(await firstStart(context, container, gone)))) return;
  const open = openLogs(files, path);
  // Of the folder, since files come and go.
  const watch = request.follow ? files.watch(context.collection.folder(container.id)) : undefined;
  const forget = gone.onCancel(() => watch?.close());
  try {
    const start = request.tail === undefined ? { index: 0, position: 0 } : tailStart(files, open, request.tail);
    for (const { fd } of open.splice(0, start.index)) files.close(fd);
    let { position } = start;
    let kept: Uint8Array = new Uint8Array(0);
    while (open[0] !== undefined) {
      const [current] = open;
      // Asked before reading: what was written until the end, and until the next file was begun, is then read below.
      const live = isLive(container.record.state);
      const next = open[1] ?? nextLog(files, path, current);
      for (;;) {
        if (gone.cancelled) return;
        const chunk = new Uint8Array(CHUNK_BYTES);
        const count = files.read(current.fd, chunk, position);
        if (count === 0) break;
        position += count;
        const buffer = kept.length === 0 ? chunk.subarray(0, count) : concat([kept, chunk.subarray(0, count)]);
        const { pieces, usedBytes, done } = renderLog(buffer, request);
        kept = buffer.slice(usedBytes);
        if (pieces.length > 0) await sink.write(pieces);
        if (done) return;
      }
      if (next !== undefined) {
        files.close(current.fd);
        open.splice(0, Math.min(2, open.length), next);
        position = 0;
        kept = new Uint8Array(0);
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
    for (const { fd } of open) files.close(fd);
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

/** Where the last `lines` lines start: in which file, and where in it. */
function tailStart(files: Files, open: readonly LogFile[], lines: number): { index: number; position: number } {
  let wanted = lines;
  let follows = false;
  for (const [index, { fd }] of [...open.entries()].toReversed()) {
    const { sizeBytes } = files.fstat(fd);
    if (lines <= 0) return { index, position: sizeBytes };
    for (const position of lineStarts(files, fd, sizeBytes)) {
      // At the end of a file a line starts if there is one in the next.
      if (position === sizeBytes && !follows) continue;
      wanted -= 1;
      if (wanted === 0) return { index, position };
    }
    follows ||= sizeBytes > 0;
  }
  return { index: 0, position: 0 };
}

/** Where lines of the container end, and the next ones start, from the last on. What conmon wrote in parts is one line. */
function* lineStarts(files: Files, fd: Fd, sizeBytes: number): Generator<number> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let end = sizeBytes; end > 0; ) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const count = files.read(fd, chunk.subarray(0, end - start), start);
    const ends: number[] = [];
    for (let at = find(chunk, NEWLINE); at >= 0 && at < count; at = find(chunk, NEWLINE, at + 1)) ends.push(at);
    for (let index = ends.length - 1; index >= 0; index -= 1) {
      const before = ends[index - 1];
      // The record that ends first may have begun in the chunk before: there it is looked at.
      if (before === undefined && start > 0) break;
      const at = ends[index];
      if (at !== undefined && endsLine(chunk, before === undefined ? 0 : before + 1)) yield start + at + 1;
    }
    const first = ends[0];
    end = start > 0 && first !== undefined && start + first + 1 < end ? start + first + 1 : start;
  }
}
