import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

/** The log of one task; the file of its last run is replaced. */
export class TaskLog {
  readonly path: string;
  readonly name: string;
  /** The script of the sandbox that was entered last: running it again shows the failure again. */
  lastScript: string | null = null;
  private readonly stream: WriteStream;
  private failed = false;

  private constructor(path: string, stream: WriteStream) {
    this.path = path;
    this.name = basename(path, '.log');
    this.stream = stream;
    // A full disk must not hide the failure that it causes elsewhere.
    stream.on('error', () => (this.failed = true));
  }

  static async open(path: string): Promise<TaskLog> {
    await mkdir(dirname(path), { recursive: true });
    return new TaskLog(path, createWriteStream(path));
  }

  line(text: string): void {
    if (!this.failed) this.stream.write(`${text}\n`);
  }

  async script(path: string, text: string): Promise<void> {
    await writeFile(path, text);
    this.lastScript = path;
  }

  async close(): Promise<void> {
    if (this.failed) return;
    await new Promise<void>((resolve) => {
      this.stream.once('error', () => resolve());
      this.stream.end(() => resolve());
    });
  }
}
