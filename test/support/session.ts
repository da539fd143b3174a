interface Terminal {
  onData(listener: (text: string) => void): void;
  onExit(listener: (end: { exitCode: number; signal?: number }) => void): void;
  write(text: string): void;
  resize(columns: number, rows: number): void;
  kill(signal?: string): void;
  pid: number;
}
export type Spawn = (file: string, args: string[], options: { cols: number; rows: number }) => Terminal;

/** A program on a terminal of its own, and what it has written. */
export class Session {
  output = '';
  readonly terminal: Terminal;
  readonly ended: Promise<number>;
  /** @param file a path @param args its words */
  constructor(spawn: Spawn, file: string, args: string[]) {
    this.terminal = spawn(file, args, { cols: 91, rows: 33 });
    this.terminal.onData((text) => (this.output += text));
    this.ended = new Promise((resolve) => this.terminal.onExit(({ exitCode }) => resolve(exitCode)));
  }
  async until(wanted: string): Promise<void> {
    for (let tries = 0; !this.output.includes(wanted); tries++) {
      if (tries > 6000) throw new Error(`waited for ${JSON.stringify(wanted)}, got ${JSON.stringify(this.output)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

export const noTerminals = 'needs node-pty, an optional package that has to be compiled here';

/** node-pty's; null where it could not be compiled. */
export const terminals = (): Promise<Spawn | null> =>
  import('node-pty').then(
    (module) => module.spawn as Spawn,
    () => null,
  );
