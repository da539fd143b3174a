import type { BuildEvent, LogExcerpt } from '../model/index.ts';

/** Bytes for people: powers of 1000, as disks and networks count. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 9.95 ? 1 : 0)} ${units[unit]}`;
}

export function durationText(ms: number): string {
  if (ms < 1000) return `${ms} ms`;
  const seconds = ms / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

export function progressText(event: Extract<BuildEvent, { type: 'task-progress' }>): string {
  const amount = (value: number): string => (event.unit === 'bytes' ? bytesText(value) : event.unit === 'percent' ? `${value}%` : String(value));
  const total = event.total === null || event.unit === 'percent' ? '' : ` of ${amount(event.total)}`;
  return `${amount(event.done)}${total}${event.detail ? ` · ${event.detail}` : ''}`;
}

export function noticeText(event: Extract<BuildEvent, { type: 'notice' }>): string {
  const label = event.level === 'warning' ? 'warning: ' : '';
  return `${label}${event.message}${event.hint ? `\n  hint: ${event.hint}` : ''}`;
}

export function checkText(event: Extract<BuildEvent, { type: 'check' }>): string {
  const mark = { passed: '✔', failed: '✖', skipped: '–' }[event.outcome];
  return `${mark} ${event.machine}: ${event.name} (${durationText(event.durationMs)})${event.detail ? `\n    ${event.detail.replaceAll('\n', '\n    ')}` : ''}`;
}

export function artifactText(event: Extract<BuildEvent, { type: 'artifact' }>): string {
  return `${event.path}  ${bytesText(event.sizeBytes)}  sha256:${event.sha256}`;
}

/** What a failed task leaves for its reader: the end of its log, where the log is, and what to paste. */
export function logText(log: LogExcerpt): string {
  const lines = log.tail.map((line) => `  │ ${line}`);
  if (log.command !== null) lines.push(`  run it again: ${log.command}`);
  lines.push(`  log: ${log.path}`);
  return lines.join('\n');
}
