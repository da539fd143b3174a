// Purpose: `minke daemon`: options, start-up, recovery, listening, stopping.
// Owns: the composition of the engine, sd_notify, the watchdog.
// Must not: know what requests mean.
export { runDaemon } from './run.ts';
export type { DaemonSettings } from './settings.ts';
