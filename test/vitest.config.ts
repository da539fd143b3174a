import { defineConfig } from 'vitest/config';
import LongestFirst from './support/longest-first.ts';

/** Set where one unlucky test must not refuse a whole delivery; what needed it is named at the end. Boards are not tried again: their tests stand on each other. */
const RETRIES = Number(process.env['OSBUILD_TEST_RETRIES'] ?? 0);

export default defineConfig({
  // The engine's pure parts import the native host's codecs; on the build machine Node.js stands in for them.
  resolve: { alias: [{ find: /^host:(bytes|compress|crypto)$/, replacement: new URL('engine/support/host/$1.ts', import.meta.url).pathname }] },
  test: {
    root: new URL('..', import.meta.url).pathname,
    // Integration tests run compilers, daemons and emulators: two cores bear two files at a time.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 600_000,
    reporters: [new URL('support/reporter.ts', import.meta.url).pathname],
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: 'tests', include: ['test/**/*.test.ts'], exclude: ['test/boot/**'], retry: RETRIES, sequence: { groupOrder: 0 } } },
      // Emulated boards miss their time-outs when compilers and daemons take the processor from them: they come last, alone.
      { extends: true, test: { name: 'boot', include: ['test/boot/**/*.test.ts'], sequence: { groupOrder: 1 } } },
    ],
  },
});
