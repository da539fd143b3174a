import { OsbuildError } from '../model/index.ts';
import type { HostConnection } from './connect.ts';

export interface RanThere {
  /** 255 where it was killed. */
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs a line of shell on a host to its end. Throws OSB_REMOTE_HOST when the connection breaks, OSB_CANCELLED. */
export async function runThere(connection: HostConnection, line: string, signal: AbortSignal, input?: Uint8Array): Promise<RanThere> {
  const channel = await connection.start(line);
  const cancel = (): void => channel.close();
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  channel.output.on('data', (bytes: Buffer) => parts.stdout.push(bytes));
  channel.errors.on('data', (bytes: Buffer) => parts.stderr.push(bytes));
  channel.input.end(input);
  try {
    const status = await Promise.race([channel.ended, connection.lost]);
    if (signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
    return { exitCode: status ?? 255, stdout: Buffer.concat(parts.stdout).toString('utf8'), stderr: Buffer.concat(parts.stderr).toString('utf8') };
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}
