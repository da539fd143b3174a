import { humanSizeWithPrecision } from '../../format/index.ts';
import { CliError } from '../cli-error.ts';
import type { CliPorts, OutputStream } from '../ports.ts';

export interface ProgressMessage {
  readonly id?: string;
  readonly status?: string;
  readonly stream?: string;
  readonly progress?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly error?: string;
  readonly errorDetail?: { readonly code?: number; readonly message?: string };
  readonly aux?: unknown;
}

const barWidth = 50;

/** "[=====>     ]  1.2MB/3.4MB", or the amount alone while the total is unknown. */
export function progressBar(current: number, total: number, columns: number): string {
  const done = humanSizeWithPrecision(current, 4);
  if (total <= 0) return current > 0 ? done.padStart(8) : '';
  const share = Math.min(1, current / total);
  const filled = Math.floor(share * barWidth);
  const bar = columns > 110 ? `[${'='.repeat(filled)}>${' '.repeat(Math.max(0, barWidth - filled))}] ` : '';
  return `${bar}${done.padStart(8)}/${humanSizeWithPrecision(total, 4)}`;
}

/**
 * Shows the messages of a pull, push, load or build. On a terminal each layer keeps its line, elsewhere only what has
 * no progress is printed. An error message ends it. Returns what came as `aux`.
 */
export async function showProgress(ports: CliPorts, values: AsyncIterable<unknown>, output: OutputStream, quiet: boolean): Promise<unknown[]> {
  const lineOf = new Map<string, number>();
  const extra: unknown[] = [];
  const live = output.isTty;
  let lines = 0;
  for await (const value of values) {
    const message = value as ProgressMessage;
    const error = message.errorDetail?.message ?? message.error;
    if (error !== undefined) throw new CliError(error, message.errorDetail?.code ?? 1);
    if (message.aux !== undefined) extra.push(message.aux);
    if (quiet) continue;
    if (message.stream !== undefined) {
      await output.write(message.stream);
      lineOf.clear();
      lines = 0;
      continue;
    }
    if (message.status === undefined) continue;
    const { current = 0, total = 0 } = message.progressDetail ?? {};
    const moving = current > 0 || total > 0;
    if (!live) {
      if (!moving) await output.write(`${message.id ? `${message.id}: ` : ''}${message.status}\n`);
      continue;
    }
    const columns = ports.terminal.size()?.columns ?? 80;
    const text = `${message.id ? `${message.id}: ` : ''}${message.status}${moving ? ` ${progressBar(current, total, columns)}` : ''}`.slice(0, columns);
    if (!message.id) {
      await output.write(`${text}\n`);
      lineOf.clear();
      lines = 0;
      continue;
    }
    const known = lineOf.get(message.id);
    if (known === undefined) {
      lineOf.set(message.id, lines++);
      await output.write(`${text}\n`);
    } else {
      const up = lines - known;
      await output.write(`\x1b[${up}A\x1b[2K\r${text}\r\x1b[${up}B`);
    }
  }
  return extra;
}
