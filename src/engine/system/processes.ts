import { access, stat } from 'host:fs';
import { getEnv, kill, signalNumber, spawn, watchPid, type ExitStatus } from 'host:process';
import { systemErrorCode } from '../error.ts';
import type { Processes } from '../ports/index.ts';

const EXECUTABLE = 1;
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const hostProcesses: Processes = {
  spawn({ argv, env, cwd, stdio, newSession, oomScoreAdj, networkOfPid }) {
    const child = spawn({
      argv,
      env,
      ...(cwd === undefined ? {} : { cwd }),
      ...(stdio === undefined ? {} : { stdio }),
      ...(newSession === undefined ? {} : { newSession }),
      ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
      ...(networkOfPid === undefined ? {} : { namespaces: [`/proc/${networkOfPid}/ns/net`] }),
    });
    return { pid: child.pid, streams: child.streams, wait: async () => exitCode(await child.wait()) };
  },
  kill(pid, signal) {
    try {
      kill(pid, signal);
      return true;
    } catch (error) {
      if (systemErrorCode(error) === 'ESRCH') return false;
      throw error;
    }
  },
  watch: watchPid,
  find(name) {
    if (name.includes('/')) return isExecutable(name) ? name : undefined;
    for (const folder of (getEnv('PATH') ?? DEFAULT_PATH).split(':')) {
      const path = `${folder}/${name}`;
      if (folder !== '' && isExecutable(path)) return path;
    }
    return undefined;
  },
};

function isExecutable(path: string): boolean {
  return access(path, EXECUTABLE) && stat(path).type === 'file';
}

function exitCode(status: ExitStatus): number {
  return status.code ?? 128 + (signalNumber(status.signal ?? 'KILL') ?? 9);
}
