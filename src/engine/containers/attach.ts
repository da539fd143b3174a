import { EngineError } from '../error.ts';
import type { ByteSink, ByteSource, Cancellation, Clock, Connection } from '../ports/index.ts';
import type { Container } from './collection.ts';
import { bundleFolder, type ContainerContext } from './context.ts';
import { createDetachDetector } from './detach-keys.ts';
import { frameHeader, STDERR, STDOUT } from './multiplex.ts';
import { isLive } from './record.ts';

/** A client's side of an attach: what is left of its HTTP connection. */
export interface AttachClient extends ByteSource, ByteSink {
  shutdown(): Promise<void>;
  close(): void;
}

export interface AttachStreams {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** Output as it is, otherwise in frames. */
  raw: boolean;
  /** Keys that end the attach and leave the process alone; empty for none. */
  detachKeys: Uint8Array;
}

/** How long conmon may take to see that a client has gone. */
const LEAVE_MS = 2_000;
/** conmon reads at most this much of one record. */
const RECORD_LIMIT_BYTES = 8192;
const CONMON_STDOUT = 2;
const CONMON_STDERR = 3;

/** Connects to a running container, or waits until it starts; undefined when the client went first. */
export function connectAttach(context: ContainerContext, container: Container, gone: Cancellation): Promise<Connection | undefined> {
  if (isLive(container.record.state)) return context.runtime.attach(bundleFolder(context, container.id));
  return new Promise((resolve, reject) => {
    const pending = {
      connected: (connection: Connection) => {
        forget();
        resolve(connection);
      },
      failed: (error: unknown) => {
        forget();
        reject(error instanceof Error ? error : new EngineError('internal', 'ATTACH_FAILED', String(error)));
      },
    };
    const forget = gone.onCancel(() => {
      container.pendingAttach.delete(pending);
      resolve(undefined);
    });
    container.pendingAttach.add(pending);
  });
}

/**
 * Carries both directions until the process ends, the client goes, or it detaches. Never rejects; both sides are closed after it.
 * `settled`: what has to be known before the client sees the end, such as the exit code that it will ask for next.
 */
export async function pumpAttach(clock: Clock, process: Connection, client: AttachClient, streams: AttachStreams, gone: Cancellation, settled?: Promise<unknown>): Promise<'ended' | 'detached'> {
  let result: 'ended' | 'detached' = 'ended';
  let left: (() => void) | undefined;
  const leave = (): void => void (left ??= leaveProcess(clock, process));
  const forget = gone.onCancel(leave);
  const carryInput = async (): Promise<void> => {
    const input = streams.stdin ? await forwardInput(process, client, streams) : 'ended';
    // A client that was killed with output unread is no end of input but an error, and nothing else may ever tell that it has gone.
    if (input === 'broken') leave();
    if (input !== 'detached') return;
    result = 'detached';
    process.close();
  };
  const input = carryInput();
  try {
    await forwardOutput(process, client, streams);
  } catch {
    leave();
    await discardOutput(process);
  }
  forget();
  left?.();
  process.close();
  if (result === 'ended' && !gone.cancelled) await settled;
  try {
    await client.shutdown();
  } catch {
    // It went first.
  }
  client.close();
  await input;
  return result;
}

/**
 * Ends the input of a process whose client has gone, and closes the connection a while later. The two must not come at once: conmon (2.1) closes the input
 * when it reads the end of a connection, but not of one that it failed to write to before. The result cancels the closing.
 */
function leaveProcess(clock: Clock, process: Connection): () => void {
  process.shutdown().catch(() => undefined);
  return clock.after(LEAVE_MS, () => process.close());
}

async function discardOutput(process: Connection): Promise<void> {
  try {
    while ((await process.read()) !== null);
  } catch {
    // The process or the connection has ended.
  }
}

async function forwardOutput(process: Connection, client: AttachClient, streams: AttachStreams): Promise<void> {
  for (let record = await process.read(); record !== null; record = await process.read()) {
    const kind = record[0] === CONMON_STDERR ? STDERR : record[0] === CONMON_STDOUT ? STDOUT : undefined;
    const data = record.subarray(1);
    if (kind === undefined || data.length === 0) continue;
    if (kind === STDOUT ? !streams.stdout : !streams.stderr) continue;
    await client.write(streams.raw ? data : [frameHeader(kind, data.length), data]);
  }
}

/** `detached`: the client typed the detach keys. `broken`: one of the two has gone. */
async function forwardInput(process: Connection, client: AttachClient, streams: AttachStreams): Promise<'ended' | 'detached' | 'broken'> {
  const detector = createDetachDetector(streams.detachKeys);
  try {
    for (let data = await client.read(); data !== null; data = await client.read()) {
      const { pass, detached } = detector.feed(data);
      for (let at = 0; at < pass.length; at += RECORD_LIMIT_BYTES) await process.write(pass.subarray(at, at + RECORD_LIMIT_BYTES));
      if (detached) return 'detached';
    }
    // The end of the client's input is the end of the process' input; its output goes on.
    await process.shutdown();
    return 'ended';
  } catch {
    return 'broken';
  }
}
