import { capture } from '../../exec/index.ts';
import type { HostRun } from './apt/host.ts';

/** Runs apt and its helpers with a fixed environment: the caller's PATH and HOME, and no locale of its own. */
export function createHostRun(hostEnvironment: Record<string, string>): HostRun {
  return (argv, { env = {}, signal } = {}) => capture(argv, { env: { LC_ALL: 'C.UTF-8', ...hostEnvironment, ...env }, ...(signal === undefined ? {} : { signal }) });
}
