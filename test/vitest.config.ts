import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    // Integration tests run compilers, daemons and emulators: two cores bear two files at a time.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 600_000,
    reporters: [new URL('support/reporter.ts', import.meta.url).pathname],
  },
});
