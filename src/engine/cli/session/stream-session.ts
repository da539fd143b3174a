import type { HijackedConnection } from '../../http/client.ts';
import { CliError } from '../cli-error.ts';
import { errorCode, type CliPorts, type OutputStream } from '../ports.ts';
import { createDetachFilter } from './detach-keys.ts';
import { createDemultiplexer } from './multiplex.ts';

export interface StreamSession {
  /** Raw bytes both ways instead of frames. */
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly detachKeys: Uint8Array;
}

export type SessionEnd = 'ended' | 'detached';

/**
 * Joins our standard streams to a container's until its output ends, the user detaches, or (without output) our input ends.
 * The terminal is back in its normal mode when this returns or throws.
 */
export async function runStreamSession(ports: CliPorts, connection: HijackedConnection, session: StreamSession): Promise<SessionEnd> {
  const raw = session.tty && session.stdin && ports.stdin.isTty;
  if (raw) ports.terminal.setRaw(true);
  try {
    const output = session.stdout || session.stderr ? pumpOutput(ports, connection, session) : null;
    const input = session.stdin ? pumpInput(ports, connection, session) : null;
    const races: Promise<SessionEnd>[] = [];
    if (output) races.push(output.then(() => 'ended' as const));
    // Standard input may end long before the output does: only detaching, or the lack of output, ends the session here.
    if (input) races.push(input.then((end) => (end === 'detached' || !output ? end : new Promise<never>(() => undefined))));
    return races.length === 0 ? 'ended' : await Promise.race(races);
  } finally {
    if (raw) ports.terminal.setRaw(false);
    connection.close();
  }
}

async function pumpOutput(ports: CliPorts, connection: HijackedConnection, session: StreamSession): Promise<void> {
  const sinks: Readonly<Record<'stdout' | 'stderr', OutputStream | null>> = {
    stdout: session.stdout ? ports.stdout : null,
    stderr: session.stderr ? ports.stderr : null,
  };
  if (session.tty) {
    for (let chunk = await readOutput(connection); chunk !== null; chunk = await readOutput(connection)) await ports.stdout.write(chunk);
    return;
  }
  const demultiplexer = createDemultiplexer(async (stream, data) => sinks[stream]?.write(data));
  for (let chunk = await readOutput(connection); chunk !== null; chunk = await readOutput(connection)) await demultiplexer.push(chunk);
  const reported = demultiplexer.end();
  if (reported.length > 0) throw new CliError(`error from daemon in stream: ${reported.map((part) => ports.codec.decode(part)).join('')}`);
}

/** A reset connection is the end of the output: what became of the container, the exit status tells. */
async function readOutput(connection: HijackedConnection): Promise<Uint8Array | null> {
  try {
    return await connection.read();
  } catch (error) {
    if (errorCode(error) === 'ECONNRESET') return null;
    throw error;
  }
}

async function pumpInput(ports: CliPorts, connection: HijackedConnection, session: StreamSession): Promise<SessionEnd> {
  const filter = session.tty ? createDetachFilter(session.detachKeys) : null;
  try {
    for (let chunk = await ports.stdin.read(); chunk !== null; chunk = await ports.stdin.read()) {
      const { forward, detached } = filter ? filter.push(chunk) : { forward: chunk, detached: false };
      if (forward.length > 0) await connection.write(forward);
      if (detached) return 'detached';
    }
    const rest = filter?.rest();
    if (rest && rest.length > 0) await connection.write(rest);
    await connection.shutdown();
  } catch (error) {
    // The container closed its input or has ended: its output and exit status tell the rest.
    const code = errorCode(error);
    if (code !== 'EPIPE' && code !== 'ECONNRESET' && code !== 'ECANCELED' && code !== 'ENOTCONN' && code !== 'EIO') throw error;
  }
  return 'ended';
}
