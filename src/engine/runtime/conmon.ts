/** One process under conmon's watch: a container's first process, or an exec in it. */
export interface SupervisedProcess {
  conmon: string;
  crun: string;
  crunRoot: string;
  containerId: string;
  name: string;
  /** conmon's files stand here: attach socket, control fifo, pid files. */
  directory: string;
  /** conmon writes the exit code into a file named after the container in here. */
  exitDirectory: string;
  /** undefined: no log. */
  logPath: string | undefined;
  logLimitBytes: number | undefined;
  tty: boolean;
  stdin: boolean;
  /** stdin stays open when the attached client has gone. */
  keepStdin: boolean;
  exec: { processFile: string; attach: boolean } | undefined;
}

export const ATTACH_SOCKET = 'attach';
export const CONTROL_FIFO = 'ctl';
export const PID_FILE = 'pid';
export const CONMON_PID_FILE = 'conmon.pid';

/** conmon's command line. */
export function conmonArguments(process: SupervisedProcess): string[] {
  const log = process.logPath === undefined ? 'none' : `k8s-file:${process.logPath}`;
  return [
    process.conmon,
    '--api-version', '1',
    '--cid', process.containerId,
    '--cuuid', process.containerId,
    '--name', process.name,
    '--runtime', process.crun,
    '--runtime-arg', '--root', '--runtime-arg', process.crunRoot,
    '--bundle', process.directory,
    '--container-pidfile', `${process.directory}/${PID_FILE}`,
    '--conmon-pidfile', `${process.directory}/${CONMON_PID_FILE}`,
    '--exit-dir', process.exitDirectory,
    '--persist-dir', process.directory,
    '--full-attach',
    '--no-sync-log',
    '--log-path', log,
    '--log-level', 'error',
    ...(process.logLimitBytes === undefined ? [] : ['--log-size-max', String(process.logLimitBytes)]),
    ...(process.tty ? ['--terminal'] : []),
    ...(process.stdin ? ['--stdin'] : []),
    ...(process.stdin && process.keepStdin ? ['--leave-stdin-open'] : []),
    ...(process.exec === undefined ? [] : ['--exec', '--exec-process-spec', process.exec.processFile]),
    ...(process.exec?.attach === true ? ['--exec-attach'] : []),
  ];
}

/** What conmon says on its sync pipe: a pid, or a negative number with the runtime's complaint. */
export interface SyncReport {
  pid: number;
  message: string;
}

/** Undefined when the line is not one of conmon's. */
export function parseSyncReport(line: string): SyncReport | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return undefined;
    const { data, pid, message } = value as { data?: unknown; pid?: unknown; message?: unknown };
    const number = typeof data === 'number' ? data : pid;
    if (typeof number !== 'number') return undefined;
    return { pid: number, message: typeof message === 'string' ? message : '' };
  } catch {
    return undefined;
  }
}

/** The line for conmon's control fifo that has it begin its log file anew, under the name that it was given. */
export const REOPEN_COMMAND = '2 0 0\n';

/** The line for conmon's control fifo that resizes the terminal. */
export function resizeCommand(rows: number, columns: number): string {
  return `1 ${rows} ${columns}\n`;
}
