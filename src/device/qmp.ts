import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

/** QEMU's machine protocol (docs/interop/qmp-spec in QEMU): one JSON object a line, over a unix socket. */
export interface Qmp {
  /** Runs a command. Throws an Error with QEMU's own words when it refuses. */
  execute(command: string, words?: Record<string, unknown>): Promise<unknown>;
  close(): void;
}

interface Reply {
  QMP?: unknown;
  id?: number;
  return?: unknown;
  error?: { class: string; desc: string };
}

/** Connects to the socket that QEMU listens on and ends the negotiation. Throws when nobody answers. */
export async function connectQmp(path: string): Promise<Qmp> {
  const { socket, forget } = await reach(path);
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let next = 1;
  let greeted: () => void = () => undefined;
  const greeting = new Promise<void>((resolve) => (greeted = resolve));
  const broken = new Promise<never>((_resolve, reject) => {
    const end = (error?: Error): void => {
      const reason = error ?? new Error('QEMU closed its control socket');
      for (const { reject: refuse } of waiting.values()) refuse(reason);
      waiting.clear();
      reject(reason);
    };
    socket.once('error', end);
    socket.once('close', () => end());
  });
  broken.catch(() => undefined);
  const lines = createInterface({ input: socket });
  lines.on('error', () => undefined); // the socket's own listener tells
  lines.on('line', (line) => {
    const reply = JSON.parse(line) as Reply;
    if (reply.QMP !== undefined) greeted();
    if (reply.id === undefined) return; // an event
    const caller = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (reply.error) caller?.reject(new Error(`QEMU: ${reply.error.desc}`));
    else caller?.resolve(reply.return);
  });
  const execute: Qmp['execute'] = (command, words) =>
    Promise.race([
      broken,
      new Promise<unknown>((resolve, reject) => {
        const id = next++;
        waiting.set(id, { resolve, reject });
        socket.write(`${JSON.stringify({ execute: command, id, ...(words === undefined ? {} : { arguments: words }) })}\n`);
      }),
    ]);
  const close = (): void => {
    socket.destroy();
    void forget();
  };
  try {
    await Promise.race([greeting, broken]);
    await execute('qmp_capabilities');
    return { execute, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** The kernel takes no more than 107 bytes as a socket's path, and folders of builds lie deep: it is reached through a link. */
async function reach(path: string): Promise<{ socket: Socket; forget(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'qmp-'));
  await symlink(dirname(path), join(folder, 'd'));
  return { socket: connect(join(folder, 'd', basename(path))), forget: () => rm(folder, { recursive: true, force: true }) };
}
