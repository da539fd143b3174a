import { CliError } from '../cli-error.ts';

export type StreamName = 'stdout' | 'stderr';

const headerBytes = 8;

/**
 * Takes apart the multiplexed stream of a container without a terminal: frames of 1 byte stream, 3 bytes zero, 4 bytes length.
 * Payload is passed on as it arrives, so that a frame of any length needs no memory.
 */
export function createDemultiplexer(onData: (stream: StreamName, data: Uint8Array) => Promise<void>) {
  const header = new Uint8Array(headerBytes);
  let headerFilled = 0;
  let stream: StreamName | 'system' = 'stdout';
  let left = 0;
  let systemError: Uint8Array[] = [];

  return {
    async push(chunk: Uint8Array): Promise<void> {
      let at = 0;
      while (at < chunk.length) {
        if (left > 0) {
          const part = chunk.subarray(at, at + left);
          at += part.length;
          left -= part.length;
          if (stream === 'system') systemError.push(part.slice());
          else await onData(stream, part);
          continue;
        }
        const part = chunk.subarray(at, at + headerBytes - headerFilled);
        header.set(part, headerFilled);
        headerFilled += part.length;
        at += part.length;
        if (headerFilled < headerBytes) continue;
        headerFilled = 0;
        stream = streamOf(header[0] ?? 0);
        left = new DataView(header.buffer).getUint32(4);
      }
    },
    /** Checks that the stream ended between frames; returns what the daemon reported as its own error. */
    end(): Uint8Array[] {
      if (left > 0 || headerFilled > 0) throw new CliError('the stream of the container ended in the middle of a frame: was the daemon stopped?');
      const reported = systemError;
      systemError = [];
      return reported;
    },
  };
}

function streamOf(type: number): StreamName | 'system' {
  if (type === 0 || type === 1) return 'stdout';
  if (type === 2) return 'stderr';
  if (type === 3) return 'system';
  throw new CliError(`unrecognized stream ${type} in the container's output`);
}
