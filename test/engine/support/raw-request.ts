import { createConnection } from 'node:net';

/** Sends bytes to an engine's socket, in pieces with pauses between them, and collects what comes until it closes the connection or `patienceMs` have passed. Never rejects. */
export function sendRaw(socketPath: string, pieces: readonly (string | Buffer)[], patienceMs = 2000): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    let answer = '';
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(end, patienceMs);
    socket.on('data', (part: Buffer) => (answer += part.toString('latin1')));
    socket.on('close', end);
    socket.on('error', end);
    const send = async (): Promise<void> => {
      for (const piece of pieces) {
        if (socket.destroyed) return;
        socket.write(piece);
        if (pieces.length > 1) await new Promise((next) => setTimeout(next, 20));
      }
    };
    socket.on('connect', () => void send());
  });
}

/** Status codes of all answers in what came. */
export function statusesOf(answer: string): number[] {
  return [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
}
