/** How long something took or has lasted, in the words `docker ps` uses. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.trunc(durationMs / 3_600_000 + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(durationMs / 3_600_000 / 24 / 365)} years`;
}

export function timeAgo(thenMs: number, nowMs: number): string {
  return `${humanDuration(nowMs - thenMs)} ago`;
}

const unitNanoseconds: Readonly<Record<string, number>> = {
  ns: 1, us: 1e3, 'µs': 1e3, 'μs': 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9,
};

const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/** Nanoseconds of a Go duration such as "1h30m" or "250ms"; null when it is not one. */
export function parseGoDuration(text: string): number | null {
  if (text === '0') return 0;
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  if (text.length === sign.length) return null;
  let total = 0;
  // Part by part: one pattern for a whole list of parts tries exponentially many splits of a wrong one.
  for (let at = sign.length; at < text.length; at = part.lastIndex) {
    part.lastIndex = at;
    const [, amount = '', unit = ''] = part.exec(text) ?? [];
    if (unit === '') return null;
    total += Number(amount) * (unitNanoseconds[unit] ?? 0);
  }
  return sign === '-' ? -total : total;
}
