function two(value: number): string {
  return String(value).padStart(2, '0');
}

function zone(date: Date): { offset: string; name: string } {
  const minutes = -date.getTimezoneOffset();
  const offset = `${minutes < 0 ? '-' : '+'}${two(Math.trunc(Math.abs(minutes) / 60))}${two(Math.abs(minutes) % 60)}`;
  return { offset, name: minutes === 0 ? 'UTC' : offset };
}

/** A moment as Go's time.String: "2026-11-20 23:24:00 +0000 UTC". */
export function goTimeText(timeMs: number): string {
  const date = new Date(timeMs);
  const { offset, name } = zone(date);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${offset} ${name}`;
}

/** "2026-11-20T23:24:00Z" or with an offset. */
export function rfc3339Text(timeMs: number): string {
  const date = new Date(timeMs);
  const { offset } = zone(date);
  const place = offset === '+0000' ? 'Z' : `${offset.slice(0, 3)}:${offset.slice(3)}`;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}${place}`;
}

/** "2026-11-20T23:24:00.123456789Z", nine digits, as events and logs show times. */
export function rfc3339NanoText(seconds: number, nanoseconds: number): string {
  const text = rfc3339Text(seconds * 1000);
  return `${text.slice(0, 19)}.${String(nanoseconds).padStart(9, '0')}${text.slice(19)}`;
}
