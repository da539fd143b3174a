import { createHostRun, type HostRun } from '../../src/providers/debian/index.ts';

/** Runs host programs with the environment that a build gives them. */
export const hostRun: HostRun = createHostRun({ PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' });
