import type { Reporter, Streams } from './reporter.ts';

/** Every event as one line of JSON on standard output, with the time at which it happened. */
export function jsonReporter(streams: Streams): Reporter {
  return {
    report: (event) => streams.stdout(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`),
    close: async () => undefined,
  };
}
