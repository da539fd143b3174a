import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { CliPorts, Endpoint, FileFacts, SignalName } from '../../../../src/engine/cli/ports.ts';
import type { ClientConnection } from '../../../../src/engine/http/client.ts';

/** What a test gives the command line and what it gets back. */
export interface FakeTerminal {
  readonly ports: CliPorts;
  stdout(): string;
  stderr(): string;
  /** Whether the terminal is raw now, and every change so far. */
  readonly rawChanges: boolean[];
  raise(signal: SignalName): void;
}

export interface FakeTerminalOptions {
  /** Chunks of standard input; a function is called when the chunk is wanted. The end comes after the last unless `stdinStaysOpen`. */
  readonly stdin?: ReadonlyArray<string | Uint8Array | (() => Promise<string | Uint8Array>)>;
  readonly stdinStaysOpen?: boolean;
  readonly tty?: boolean;
  readonly size?: { columns: number; rows: number };
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  readonly nowMs?: number;
  /** Standard output breaks after this many bytes. */
  readonly stdoutBreaksAfter?: number;
}

function facts(stat: fs.Stats): FileFacts {
  const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'other';
  return { kind, mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid, sizeBytes: stat.size, mtimeSeconds: Math.floor(stat.mtimeMs / 1000) };
}

export function socketConnection(socket: Socket): ClientConnection {
  socket.on('error', () => undefined);
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  return {
    async read() {
      const next = await chunks.next();
      return next.done ? null : new Uint8Array(next.value);
    },
    write: (data) => new Promise((resolve, reject) => {
      const whole = Buffer.concat((Array.isArray(data) ? data : [data]).map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part as Uint8Array))));
      socket.write(whole, (error) => (error ? reject(error) : resolve()));
    }),
    shutdown: () => new Promise((resolve) => socket.end(() => resolve())),
    close: () => void socket.destroy(),
  };
}

function dial(endpoint: Endpoint): Promise<ClientConnection> {
  return new Promise((resolve, reject) => {
    const target = endpoint.kind === 'unix' ? { path: endpoint.path } : { host: endpoint.host, port: endpoint.port };
    const socket = connect({ ...target, allowHalfOpen: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socketConnection(socket));
    });
  });
}

export function fakeTerminal(options: FakeTerminalOptions = {}): FakeTerminal {
  const out: Uint8Array[] = [];
  const err: Uint8Array[] = [];
  const rawChanges: boolean[] = [];
  const listeners = new Map<SignalName, Set<() => void>>();
  const input = [...(options.stdin ?? [])];
  let written = 0;
  const sink = (parts: Uint8Array[], limit = Number.POSITIVE_INFINITY) => async (data: Uint8Array | string) => {
    const chunk = typeof data === 'string' ? new TextEncoder().encode(data) : data.slice();
    written += chunk.length;
    if (written > limit) throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    parts.push(chunk);
  };
  const text = (parts: readonly Uint8Array[]) => Buffer.concat(parts).toString('utf8');
  const ports: CliPorts = {
    stdin: {
      isTty: options.tty ?? false,
      async read() {
        const next = input.shift();
        if (next === undefined) return options.stdinStaysOpen ? new Promise<null>(() => undefined) : null;
        const value = typeof next === 'function' ? await next() : next;
        return typeof value === 'string' ? new TextEncoder().encode(value) : value;
      },
    },
    stdout: { isTty: options.tty ?? false, write: sink(out, options.stdoutBreaksAfter) },
    stderr: { isTty: options.tty ?? false, write: sink(err) },
    codec: { decode: (bytes) => new TextDecoder().decode(bytes), encode: (value) => new TextEncoder().encode(value) },
    terminal: { setRaw: (on) => void rawChanges.push(on), setEcho: () => undefined, size: () => options.size ?? null },
    files: {
      readText: (path) => fs.readFileSync(path, 'utf8'),
      writeText: (path, value, mode) => fs.writeFileSync(path, value, { mode }),
      stat(path, how) {
        const stat = how?.followLinks === false ? fs.lstatSync(path, { throwIfNoEntry: false }) : fs.statSync(path, { throwIfNoEntry: false });
        return stat ? facts(stat) : null;
      },
      list: (path) => fs.readdirSync(path).sort(),
      readLink: (path) => fs.readlinkSync(path),
      openRead(path) {
        const fd = fs.openSync(path, 'r');
        return {
          async read() {
            const buffer = new Uint8Array(65536);
            const count = fs.readSync(fd, buffer);
            return count === 0 ? null : buffer.subarray(0, count);
          },
          close: () => fs.closeSync(fd),
        };
      },
      openWrite(path, mode) {
        const part = `${path}.part`;
        const fd = fs.openSync(part, 'wx', mode);
        return {
          write: async (data) => void fs.writeSync(fd, data),
          async finish() {
            fs.closeSync(fd);
            fs.renameSync(part, path);
          },
          abandon: () => fs.unlinkSync(part),
        };
      },
      makeDirectory: (path, mode) => void fs.mkdirSync(path, { mode }),
      symlink: (content, path) => fs.symlinkSync(content, path),
      unlink: (path) => fs.unlinkSync(path),
      chmod: (path, mode) => fs.chmodSync(path, mode),
    },
    process: {
      workingDirectory: options.workingDirectory ?? '/here',
      architecture: 'amd64',
      environment: () => options.environment ?? {},
      onSignal(name, listener) {
        const set = listeners.get(name) ?? new Set();
        listeners.set(name, set.add(listener));
        return () => void set.delete(listener);
      },
      randomHex: (count) => randomBytes(count).toString('hex'),
      run: (argv, stdin) => new Promise((resolve, reject) => {
        const child = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...options.environment } });
        let stdout = '';
        child.stdout.on('data', (chunk) => { stdout += String(chunk); });
        child.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? resolve(null) : reject(error)));
        child.on('close', (code) => resolve({ code: code ?? 1, stdout }));
        child.stdin.end(stdin);
      }),
    },
    clock: { now: () => options.nowMs ?? Date.now(), sleep: (delayMs) => new Promise((resolve) => { setTimeout(resolve, delayMs); }) },
    dial,
    system: () => {
      throw new Error('for devices');
    },
  };
  return {
    ports, rawChanges, stdout: () => text(out), stderr: () => text(err),
    raise: (signal) => listeners.get(signal)?.forEach((listener) => listener()),
  };
}
