import * as bytes from 'host:bytes';
import { randomHex } from 'host:crypto';
import { resolve } from 'host:dns';
import * as fs from 'host:fs';
import { connect, fromFd, startTls, trustStore, type Stream } from 'host:net';
import { architecture, cwd, environment, onSignal, spawn } from 'host:process';
import { isTty, setMode, windowSize } from 'host:tty';
import { hostReporter, hostSystem } from '../system/index.ts';
import type { CliFiles, CliPorts, Endpoint, FileFacts, FileKind, SignalName } from './ports.ts';
import { CliError } from './cli-error.ts';

const chunkBytes = 64 * 1024;
const systemTrust = ['/etc/ssl/certs/ca-certificates.crt'];

function output(fd: number): CliPorts['stdout'] {
  let stream: Stream | null = null;
  return { isTty: isTty(fd), write: (data) => (stream ??= fromFd(fd)).write(data) };
}

function input(): CliPorts['stdin'] {
  let stream: Stream | null = null;
  return { isTty: isTty(0), read: () => (stream ??= fromFd(0)).read() };
}

const kinds: Readonly<Record<string, FileKind>> = { file: 'file', directory: 'directory', symlink: 'symlink' };

function facts(stat: fs.Stat): FileFacts {
  return { kind: kinds[stat.type] ?? 'other', mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid, sizeBytes: stat.sizeBytes, mtimeSeconds: stat.mtimeSeconds };
}

function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

const files: CliFiles = {
  readText: (path) => fs.readText(path),
  writeText: (path, text, mode) => fs.writeFile(path, text, { mode }),
  stat(path, options) {
    try {
      return facts(options?.followLinks === false ? fs.lstat(path) : fs.stat(path));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  },
  list: (path) => fs.readdir(path).map(({ name }) => name).sort(),
  readLink: (path) => fs.readlink(path),
  openRead(path) {
    const fd = fs.open(path);
    let open = true;
    return {
      async read() {
        const buffer = new Uint8Array(chunkBytes);
        const count = fs.read(fd, buffer);
        return count === 0 ? null : buffer.subarray(0, count);
      },
      close() {
        if (open) fs.close(fd);
        open = false;
      },
    };
  },
  openWrite(path, mode) {
    // Devices and pipes are written to as they are; a file comes into its place when it is whole.
    const existing = files.stat(path);
    const direct = existing !== null && existing.kind !== 'file';
    const target = direct ? path : `${path}.part-${randomHex(4)}`;
    const fd = fs.open(target, direct ? fs.O_WRONLY : fs.O_WRONLY | fs.O_CREAT | fs.O_EXCL, mode);
    return {
      write: async (data) => fs.write(fd, data),
      async finish() {
        if (!direct) await fs.fsync(fd);
        fs.close(fd);
        if (!direct) fs.rename(target, path);
      },
      abandon() {
        try {
          fs.close(fd);
          if (!direct) fs.unlink(target);
        } catch {
          // Closed or moved into place already.
        }
      },
    };
  },
  makeDirectory: (path, mode) => fs.mkdir(path, mode),
  symlink: (content, path) => fs.symlink(content, path),
  unlink: (path) => fs.unlink(path),
  chmod: (path, mode) => fs.chmod(path, mode),
};

async function dial(endpoint: Endpoint): Promise<Stream> {
  if (endpoint.kind === 'unix') return connect({ unix: endpoint.path });
  const addresses = await resolve(endpoint.host);
  let failure: unknown = new CliError(`${endpoint.host} has no address`);
  for (const { address } of addresses) {
    try {
      const stream = await connect({ address, port: endpoint.port });
      if (endpoint.tls) {
        const { verify, caPath, certificatePath, keyPath } = endpoint.tls;
        await startTls(stream, {
          serverName: endpoint.host, insecure: !verify, trust: trustStore({ paths: caPath === undefined ? systemTrust : [caPath] }), alpn: ['http/1.1'],
          ...(certificatePath === undefined ? {} : { certificate: fs.readText(certificatePath) }), ...(keyPath === undefined ? {} : { key: fs.readText(keyPath) }),
        });
      }
      return stream;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function sleep(delayMs: number): Promise<void> {
  return new Promise((done) => { setTimeout(done, delayMs); });
}

const listeners = new Map<SignalName, Set<() => void>>();

function listen(name: SignalName, listener: () => void): () => void {
  const set = listeners.get(name) ?? new Set();
  listeners.set(name, set);
  if (set.size === 0) onSignal(name, () => { for (const each of set) each(); });
  set.add(listener);
  return () => {
    if (set.delete(listener) && set.size === 0) onSignal(name, null);
  };
}

async function run(argv: readonly string[], text: string): Promise<{ code: number; stdout: string } | null> {
  let child;
  try {
    child = spawn({ argv, stdio: ['pipe-in', 'pipe-out', 'inherit'] });
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  const ended = child.wait();
  await child.stdin?.write(text).catch(() => undefined);
  child.stdin?.close();
  let stdout = '';
  for (let chunk = await child.stdout?.read(); chunk; chunk = await child.stdout?.read()) stdout += bytes.text(chunk);
  const { code } = await ended;
  return { code: code ?? 1, stdout };
}

/** The system as the native host gives it. */
export function createHostPorts(): CliPorts {
  return {
    stdin: input(), stdout: output(1), stderr: output(2), files,
    codec: { decode: (data) => bytes.text(data), encode: (text) => bytes.encode(text) },
    terminal: { setRaw: (on) => setMode(0, on ? 'raw' : 'normal'), setEcho: (on) => setMode(0, on ? 'normal' : 'no-echo'), size: () => windowSize(1) ?? windowSize(0) },
    process: { workingDirectory: cwd(), architecture, environment, onSignal: listen, randomHex, run },
    clock: { now: () => Date.now(), sleep },
    dial,
    system: () => hostSystem(hostReporter('error')),
  };
}
