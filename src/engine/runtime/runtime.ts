import { concat, find, text } from 'host:bytes';
import { EngineError, systemErrorCode } from '../error.ts';
import { readToEnd, sleep, type ByteSource, type Connection, type System } from '../ports/index.ts';
import { ATTACH_SOCKET, CONMON_PID_FILE, conmonArguments, CONTROL_FIFO, parseSyncReport, REOPEN_COMMAND, resizeCommand, type SupervisedProcess } from './conmon.ts';
import { runtimeFailure } from './runtime-error.ts';

export interface StartedProcess {
  pid: number;
  conmonPid: number;
}

export type RuntimeStatus = 'creating' | 'created' | 'running' | 'stopped' | 'paused';

export interface RuntimePrograms {
  crun: string;
  conmon: string;
  crunRoot: string;
}

export type ProcessRequest = Omit<SupervisedProcess, 'conmon' | 'crun' | 'crunRoot'>;

export interface Runtime {
  programs: RuntimePrograms;
  /** Makes a container whose first process waits for `start`. */
  create(request: ProcessRequest): Promise<StartedProcess>;
  start(id: string): Promise<void>;
  /** Runs another process in it; `attached` is called when clients can be connected and before the process starts. */
  exec(request: ProcessRequest, attached: () => Promise<void>): Promise<StartedProcess>;
  attach(directory: string): Promise<Connection>;
  resize(directory: string, rows: number, columns: number): void;
  /** Has conmon begin a new log file under the log's name. Once it is there, nothing is written to the one before. */
  reopenLog(directory: string): void;
  pause(id: string): Promise<void>;
  resume(id: string): Promise<void>;
  /** Removes what is left of it, killing what still runs. A missing one is fine. */
  remove(id: string): Promise<void>;
  status(id: string): Promise<RuntimeStatus | undefined>;
  update(id: string, resources: unknown): Promise<void>;
}

const SYNC_FD = 3;
const START_FD = 4;
const ATTACH_FD = 5;
/** conmon waits for ever for a runtime that was killed when its container was made already: it reads complaints that the container's first process could still make. */
const CREATE_PATIENCE_MS = 120_000;

export function createRuntime(system: System, programs: RuntimePrograms): Runtime {
  const { processes, files, sockets, clock } = system;
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };

  const crun = async (...args: string[]): Promise<string> => {
    const child = processes.spawn({ argv: [programs.crun, '--root', programs.crunRoot, ...args], env, stdio: ['null', 'pipe-out', 'pipe-out'] });
    const [, stdout, stderr] = child.streams;
    const [output, complaint, code] = await Promise.all([readToEnd(stdout), readToEnd(stderr), child.wait()]);
    if (code !== 0) throw runtimeFailure(`OCI runtime ${args[0] ?? ''} failed`, complaint);
    return output;
  };

  const conmonPid = async (directory: string): Promise<number> => {
    // conmon's parent writes the file before it ends; ours has been waited for.
    const pid = Number(files.readText(`${directory}/${CONMON_PID_FILE}`).trim());
    if (!Number.isInteger(pid) || pid <= 0) throw new EngineError('internal', 'CONMON_FAILED', 'conmon did not say its process id');
    return pid;
  };

  function control(directory: string, line: string): void {
    let fd: number;
    try {
      fd = files.open(`${directory}/${CONTROL_FIFO}`, 'write-nonblocking');
    } catch (error) {
      // Nobody reads it any more: the process has ended, and its terminal with it.
      if (systemErrorCode(error) === 'ENXIO' || systemErrorCode(error) === 'ENOENT') return;
      throw error;
    }
    try {
      files.write(fd, line);
    } finally {
      files.close(fd);
    }
  }

  return {
    programs,
    async create(request) {
      const child = processes.spawn({
        argv: conmonArguments({ ...request, ...programs }),
        env: { ...env, _OCI_SYNCPIPE: String(SYNC_FD) },
        cwd: request.directory,
        stdio: ['null', 'null', 'inherit', 'pipe-out'],
        newSession: true,
      });
      const sync = child.streams[SYNC_FD];
      let tired = false;
      const stop = clock.after(CREATE_PATIENCE_MS, () => {
        tired = true;
        sync?.close();
      });
      const [report, code] = await Promise.all([
        readReport(sync).catch((error: unknown) => {
          if (!tired) throw error;
          return undefined;
        }),
        child.wait(),
      ]).finally(() => {
        stop();
        sync?.close();
      });
      if (tired) throw runtimeFailure('failed to create task for container', `the runtime did not come to an end within ${CREATE_PATIENCE_MS / 1000} s`);
      if (code !== 0 || report === undefined) throw runtimeFailure('failed to create task for container', 'conmon failed');
      if (report.pid <= 0) throw runtimeFailure('failed to create task for container: failed to create shim task: OCI runtime create failed', report.message);
      return { pid: report.pid, conmonPid: await conmonPid(request.directory) };
    },
    start: async (id) => void (await crun('start', id)),
    async exec(request, attached) {
      const attach = request.exec?.attach === true;
      const child = processes.spawn({
        argv: conmonArguments({ ...request, ...programs }),
        env: { ...env, _OCI_SYNCPIPE: String(SYNC_FD), _OCI_STARTPIPE: String(START_FD), ...(attach ? { _OCI_ATTACHPIPE: String(ATTACH_FD) } : {}) },
        cwd: request.directory,
        stdio: ['null', 'null', 'inherit', 'pipe-out', 'pipe-in', ...(attach ? (['pipe-out'] as const) : [])],
        newSession: true,
      });
      const [, , , sync, start, attachPipe] = child.streams;
      try {
        await start?.write('\0');
        const code = await child.wait();
        if (code !== 0) throw runtimeFailure('OCI runtime exec failed', 'conmon failed');
        if (attach) {
          await readReport(attachPipe);
          await attached();
          await start?.write('\0');
        }
        const report = await readReport(sync);
        if (report === undefined || report.pid <= 0) throw runtimeFailure('OCI runtime exec failed: exec failed', report?.message ?? '');
        return { pid: report.pid, conmonPid: await conmonPid(request.directory) };
      } finally {
        sync?.close();
        start?.close();
        attachPipe?.close();
      }
    },
    attach: (directory) => sockets.connectRecords(`${directory}/${ATTACH_SOCKET}`),
    resize: (directory, rows, columns) => control(directory, resizeCommand(rows, columns)),
    reopenLog: (directory) => control(directory, REOPEN_COMMAND),
    pause: async (id) => void (await crun('pause', id)),
    resume: async (id) => void (await crun('resume', id)),
    async remove(id) {
      for (let attempt = 0; ; attempt += 1) {
        if (!files.exists(`${programs.crunRoot}/${id}`)) return;
        try {
          await crun('delete', '--force', id);
          return;
        } catch (error) {
          // Its cgroup may still hold processes that are just dying.
          if (attempt === 5) throw error;
          await sleep(clock, 50 << attempt);
        }
      }
    },
    async status(id) {
      if (!files.exists(`${programs.crunRoot}/${id}`)) return undefined;
      try {
        const state = JSON.parse(await crun('state', id)) as { status: RuntimeStatus };
        return state.status;
      } catch {
        return undefined;
      }
    },
    async update(id, resources) {
      const path = `${programs.crunRoot}/${id}.update.json`;
      files.writeText(path, JSON.stringify(resources), 0o600);
      try {
        await crun('update', '--resources', path, id);
      } finally {
        files.unlink(path);
      }
    },
  };
}

/** The first line that is a report. */
async function readReport(source: ByteSource | null | undefined): Promise<ReturnType<typeof parseSyncReport>> {
  let kept: Uint8Array = new Uint8Array(0);
  for (let part = await source?.read(); part !== null && part !== undefined; part = await source?.read()) {
    kept = concat([kept, part]);
    for (let end = find(kept, '\n'); end >= 0; end = find(kept, '\n')) {
      const report = parseSyncReport(text(kept, 0, end));
      if (report !== undefined) return report;
      kept = kept.subarray(end + 1);
    }
  }
  return kept.length === 0 ? undefined : parseSyncReport(text(kept));
}
