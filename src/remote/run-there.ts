import type { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

import { OsbuildError } from '../model/index.ts';
import type { HostConnection } from './connect.ts';

export interface RanThere {
  /** 255 where it was killed. */
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface RunThereOptions {
  /** Writes what the program reads, and ends it. A program that ends early does not read to the end: what it says counts then. */
  send?(input: Writable): Promise<void>;
  /** Hears all that was put out so far, whenever there is more. */
  output?(text: string): void;
}

/** Runs a line of shell on a host to its end. Throws OSB_REMOTE_HOST when the connection breaks, OSB_CANCELLED, and what `send` throws where the program ended well. */
export async function runThere(connection: HostConnection, line: string, signal: AbortSignal, { send, output }: RunThereOptions = {}): Promise<RanThere> {
  const channel = await connection.start(line);
  const cancel = (): void => channel.close();
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  let [stdout, stderr] = ['', ''];
  const [texts, complaints] = [new StringDecoder('utf8'), new StringDecoder('utf8')];
  channel.output.on('data', (bytes: Buffer) => {
    stdout += texts.write(bytes);
    output?.(stdout);
  });
  channel.errors.on('data', (bytes: Buffer) => (stderr += complaints.write(bytes)));
  if (send === undefined) channel.input.end();
  const sent = send === undefined ? null : send(channel.input).then(() => null, (error: unknown) => ({ error }));
  try {
    const status = await Promise.race([channel.ended, connection.lost]);
    if (signal.aborted) throw new OsbuildError('OSB_CANCELLED', 'cancelled');
    const unsent = status === 0 ? await sent : null;
    if (unsent !== null) throw unsent.error;
    return { exitCode: status ?? 255, stdout: stdout + texts.end(), stderr: stderr + complaints.end() };
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}
