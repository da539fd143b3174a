import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { runProgram } from '../../../src/engine/cli/program.ts';
import { fakeDaemon, type FakeDaemon } from './support/fake-daemon.ts';
import { container, containerId } from './support/recorded-engine.ts';
import { fakeTerminal, type FakeTerminalOptions } from './support/node-ports.ts';

const ttyContainer = { ...container, Config: { ...container.Config, Tty: true, OpenStdin: true } };

interface Session {
  readonly daemon: FakeDaemon;
  readonly resizes: string[];
  readonly received: () => string;
  readonly kills: string[];
}

/** A container with a terminal: `onInput` sees what is typed; the wait ends when the returned function is called. */
async function session(onStart: (socket: Duplex, finish: (code: number) => void) => void, options: { ignoresSignals?: boolean } = {}): Promise<Session> {
  const resizes: string[] = [];
  const kills: string[] = [];
  let received = '';
  let socket: Duplex | null = null;
  let finish: (code: number) => void = () => undefined;
  const daemon = await fakeDaemon({
    routes: {
      'POST /containers/create': () => ({ json: { Id: containerId, Warnings: null } }),
      'GET /containers/[^/]+/json': () => ({ json: ttyContainer }),
      'POST /containers/[^/]+/wait': () => ({ stream: (response) => { finish = (code) => { socket?.end(); response.end(`{"StatusCode":${code}}`); }; } }),
      'POST /containers/[^/]+/start': () => {
        if (socket) onStart(socket, (code) => finish(code));
        return {};
      },
      'POST /containers/[^/]+/kill': ({ query }) => {
        kills.push(query.get('signal') ?? '');
        if (!options.ignoresSignals) setTimeout(() => finish(143), 10);
        return {};
      },
      'POST /containers/[^/]+/resize': ({ query }) => {
        resizes.push(`${query.get('h')}x${query.get('w')}`);
        return {};
      },
    },
    hijacks: {
      '/containers/[^/]+/attach': (opened) => {
        socket = opened;
        opened.on('data', (data: Buffer) => { received += data.toString(); });
      },
    },
  });
  return { daemon, resizes, kills, received: () => received };
}

function start(current: Session, args: readonly string[], options: FakeTerminalOptions = {}) {
  const size = { columns: 100, rows: 40 };
  const terminal = fakeTerminal({ tty: true, size, ...options, environment: { HOME: '/no/home', DOCKER_HOST: current.daemon.host, DOCKER_CONFIG: '/no/home' } });
  return { terminal, size, code: runProgram(['minke', ...args], terminal.ports) };
}

const patience = { timeout: 20_000, interval: 5 };

describe('a container with a terminal', () => {
  let current: Session | null = null;
  afterEach(() => current?.daemon.close());

  it('is raw while attached and normal afterwards; its size follows ours', async () => {
    let end: (code: number) => void = () => undefined;
    current = await session((socket, finish) => {
      socket.write('\x1b[1mhello\x1b[0m');
      end = finish;
    });
    const { terminal, code, size } = start(current, ['run', '-it', '--rm', 'busybox'], { stdinStaysOpen: true });
    const { resizes } = current;
    await vi.waitFor(() => expect(resizes).toEqual(['40x100']), patience);
    expect(terminal.rawChanges).toEqual([true]);
    size.columns = 80;
    terminal.raise('WINCH');
    await vi.waitFor(() => expect(resizes).toHaveLength(2), patience);
    end(0);
    expect(await code).toBe(0);
    expect(terminal.rawChanges).toEqual([true, false]);
    expect(terminal.stdout()).toBe('\x1b[1mhello\x1b[0m');
    expect(current.resizes).toEqual(['40x100', '40x80']);
    const created = JSON.parse(current.daemon.seen.find(({ path }) => path === '/containers/create')?.body.toString() ?? '{}') as { HostConfig: { ConsoleSize: number[] } };
    expect(created.HostConfig.ConsoleSize).toEqual([40, 100]);
  });

  it('detaches with ctrl-p ctrl-q and leaves the container alone', async () => {
    current = await session(() => undefined);
    const { terminal, code } = start(current, ['run', '-it', 'busybox'], { stdin: ['ls\r', '\x10', '\x11never sent'], stdinStaysOpen: true });
    expect(await code).toBe(0);
    expect(current.received()).toBe('ls\r');
    expect(terminal.rawChanges).toEqual([true, false]);
  });

  it('takes other detach keys, and passes on keys that only begin the sequence', async () => {
    current = await session(() => undefined);
    const { code } = start(current, ['run', '-it', '--detach-keys', 'ctrl-a,a,b', 'busybox'], { stdin: ['x\x01a\x01', 'aab', '\x01ab'], stdinStaysOpen: true });
    expect(await code).toBe(0);
    expect(current.received()).toBe('x\x01a\x01aab');
  });

  it('attach says that it was detached', async () => {
    current = await session(() => undefined);
    const { terminal, code } = start(current, ['attach', 'web'], { stdin: ['\x10\x11'], stdinStaysOpen: true });
    expect(await code).toBe(1);
    expect(terminal.stderr()).toBe('read escape sequence\n');
  });

  it('restores the terminal when the daemon goes away', async () => {
    current = await session((socket) => { setTimeout(() => { socket.destroy(); void current?.daemon.close(); }, 30); });
    const { terminal, code } = start(current, ['run', '-it', 'busybox'], { stdinStaysOpen: true });
    expect(await code).toBe(125);
    expect(terminal.rawChanges).toEqual([true, false]);
    expect(terminal.stderr()).toMatch(/closed the connection|ended the connection/);
    current = null;
  });

  it('hands signals on', async () => {
    let started = false;
    current = await session(() => { started = true; });
    const { terminal, code } = start(current, ['run', 'busybox', 'sleep'], { tty: false });
    await vi.waitFor(() => expect(started).toBe(true), patience);
    terminal.raise('TERM');
    expect(await code).toBe(143);
    expect(current.kills).toEqual(['TERM']);
  });

  it('gives up at the third interrupt of a container that ignores them', async () => {
    current = await session(() => undefined, { ignoresSignals: true });
    const { terminal, code } = start(current, ['run', 'busybox', 'stubborn'], { tty: false });
    const { kills } = current;
    for (let count = 1; count <= 3; count++) {
      await vi.waitFor(() => {
        if (count === 1) expect(current?.daemon.seen.some(({ path }) => path.endsWith('/start'))).toBe(true);
        else expect(kills).toHaveLength(count - 1);
      }, patience);
      terminal.raise('INT');
    }
    expect(await code).toBe(1);
    expect(terminal.stderr()).toBe('\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n');
  });

  it('does not hand signals on with --sig-proxy=false', async () => {
    let end: ((code: number) => void) | null = null;
    current = await session((_socket, finish) => { end = finish; });
    const { terminal, code } = start(current, ['run', '--sig-proxy=false', 'busybox', 'sleep'], { tty: false });
    const ending = await vi.waitFor(() => end ?? Promise.reject(new Error('not started')), patience);
    terminal.raise('INT');
    ending(0);
    expect(await code).toBe(0);
    expect(current.kills).toEqual([]);
  });

  it('refuses -it without a terminal', async () => {
    current = await session(() => undefined);
    const { terminal, code } = start(current, ['run', '-it', 'busybox'], { tty: false });
    expect(await code).toBe(1);
    expect(terminal.stderr()).toBe('the input device is not a TTY\n');
  });

  it('ends quietly when nobody reads its output any more', async () => {
    current = await session((socket) => {
      const frame = Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 4, 0]), Buffer.alloc(1024, 'y')]);
      for (let count = 0; count < 50; count++) socket.write(frame);
    });
    const { terminal, code } = start(current, ['run', 'busybox', 'yes'], { tty: false, stdoutBreaksAfter: 4096 });
    expect(await code).toBe(141);
    expect(terminal.stderr()).toBe('');
  });
});
