declare module 'host:process' {
  import type { Stream } from 'host:net';

  /** argv[0] is the name it was called by ('docker', '/usr/bin/minke'). */
  export const argv: readonly string[];
  export const pid: number;
  /** 'amd64', 'arm64', 'arm' or '386', as Go and OCI name them. */
  export const architecture: 'amd64' | 'arm64' | 'arm' | '386';
  /** OCI variant of what the binary was built for: 'v5', 'v6', 'v7', 'v8' or ''. */
  export const architectureVariant: string;

  export function getEnv(name: string): string | undefined;
  export function environment(): Record<string, string>;
  export function cwd(): string;
  export function chdir(path: string): void;
  /** Sets it and returns the one before. */
  export function umask(mask: number): number;
  export function ids(): { uid: number; gid: number; effectiveUid: number; effectiveGid: number; groups: number[] };
  /** Path of the running binary. */
  export function executablePath(): string;

  /** Restores terminals and ends at once. Streams are not flushed: await their writes first. */
  export function exit(code: number): never;
  /**
   * Called for an exception that nobody caught or a rejection that nobody handled. Without a handler the host prints the
   * stack to stderr and exits with 70. If the handler itself throws, likewise.
   */
  export function onUncaught(handler: ((error: unknown) => void) | null): void;
  /** Writes text and a line end to stderr, whole, blocking; errors are ignored. For diagnostics. */
  export function log(text: string): void;
  export function runGc(): void;
  export function memoryUsage(): { heapUsedBytes: number; heapReservedBytes: number; residentBytes: number };

  /** 'HUP', 'INT', 'QUIT', 'TERM', 'USR1', 'USR2', 'WINCH', 'CONT', 'PIPE' …, with or without 'SIG' where one is taken, without where one is given. */
  export type SignalName = string;
  /** One handler a signal; null restores the default. Handlers do not keep the process alive. SIGPIPE is always ignored; 'CHLD' is the host's. */
  export function onSignal(name: SignalName, handler: ((name: SignalName) => void) | null): void;
  /** Sends a signal (name, number, or 0 to ask whether it exists: throws 'ESRCH'). A negative pid is a process group. */
  export function kill(pid: number, signal: SignalName | number): void;
  /** Number of a signal for this architecture, or undefined. */
  export function signalNumber(name: SignalName): number | undefined;
  export function signalName(number: number): SignalName | undefined;

  /**
   * What a file descriptor of the child is: /dev/null, our own of the same number, a pipe that the child reads ('pipe-in')
   * or writes ('pipe-out'), or one of ours by number (stays ours; close it after spawn).
   */
  export type ChildFd = 'null' | 'inherit' | 'pipe-in' | 'pipe-out' | number;
  export interface SpawnOptions {
    /** argv[0] is looked up on the PATH of the child's environment unless it has a slash. */
    argv: readonly string[];
    /** Program to execute when it differs from argv[0]. */
    file?: string;
    /** The whole environment, or ours when left out. */
    env?: Readonly<Record<string, string>>;
    cwd?: string;
    /** By descriptor number; default ['null', 'null', 'inherit']. All others are closed in the child. */
    stdio?: readonly ChildFd[];
    uid?: number;
    gid?: number;
    /** Supplementary groups; none when uid or gid is given and these are not. */
    groups?: readonly number[];
    /** New session, without a controlling terminal. */
    newSession?: boolean;
    /** New process group with the child as leader. */
    newGroup?: boolean;
    /** Signal for the child when our process ends. */
    parentDeathSignal?: SignalName;
    /** Directory of a cgroup (v2, or one of v1's hierarchies) that the child enters before it executes. */
    cgroups?: readonly string[];
    /** Path of namespaces to enter before executing (/proc/123/ns/net); kinds as clone(2) allows for a single thread. */
    namespaces?: readonly string[];
    oomScoreAdj?: number;
    umask?: number;
  }
  /** Exactly one is not null. */
  export interface ExitStatus {
    code: number | null;
    signal: SignalName | null;
  }
  export interface Child {
    readonly pid: number;
    /** Ours of the pipes, by the child's descriptor number; null where there is none. */
    readonly streams: readonly (Stream | null)[];
    readonly stdin: Stream | null;
    readonly stdout: Stream | null;
    readonly stderr: Stream | null;
    /** Resolves once it has ended and is reaped (its pipes may still hold output); the same Promise each time. */
    wait(): Promise<ExitStatus>;
    /** False when it has already been reaped: never hits a reused pid. */
    kill(signal: SignalName | number): boolean;
  }
  /**
   * Starts a program. Throws HostError when it cannot be executed (ENOENT, EACCES …; `syscall` says which step of the child
   * failed: 'execve', 'chdir', 'setuid', 'cgroup' …). A running child keeps the process alive only while wait() is pending.
   */
  export function spawn(options: SpawnOptions): Child;
  /** From now on orphans below us become our children; `handler` gets each one's end (after it was reaped). */
  export function becomeSubreaper(handler: (pid: number, status: ExitStatus) => void): void;

  export interface ProcessWatch {
    /** Resolves when the process has ended, and at close(). */
    readonly ended: Promise<void>;
    close(): void;
  }
  /** Tells when a process that need not be our child ends (pidfd); `ended` is resolved already when there is none. Throws 'ENOSYS' below Linux 5.3. */
  export function watchPid(pid: number): ProcessWatch;

  /** Tells systemd ('READY=1', 'STATUS=…', 'WATCHDOG=1'). False when nobody asked (no NOTIFY_SOCKET). */
  export function notifySupervisor(state: string): boolean;
  /** Sockets that the supervisor opened for us (LISTEN_FDS), in order; empty without. Take ownership of each once. */
  export function activationFds(): { fd: number; name: string }[];

  export interface Uname {
    sysname: string;
    nodename: string;
    release: string;
    version: string;
    machine: string;
  }
  export function uname(): Uname;
  export function sysconf(): { processors: number; pageSizeBytes: number; clockTicksPerSecond: number; totalMemoryBytes: number };
  /** resource: 'nofile', 'nproc', 'core', 'memlock', 'stack' …; Infinity for unlimited. */
  export function getResourceLimit(resource: string): { soft: number; hard: number };
  export function setResourceLimit(resource: string, limit: { soft: number; hard: number }): void;
}
