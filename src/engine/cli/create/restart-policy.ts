export interface RestartPolicy {
  readonly Name: string;
  readonly MaximumRetryCount: number;
}

/** Reads "no", "always", "unless-stopped", "on-failure[:max]"; null when the count is no number. */
export function parseRestartPolicy(text: string): RestartPolicy | null {
  const [name = '', count, ...rest] = text.split(':');
  if (rest.length > 0 || (count !== undefined && !/^\d+$/.test(count))) return null;
  return { Name: name, MaximumRetryCount: count === undefined ? 0 : Number(count) };
}

export function restartProblem(text: string): string | null {
  if (text === '') return null;
  if (!parseRestartPolicy(text)) return 'invalid restart policy format: maximum retry count must be an integer';
  return text.startsWith(':') ? 'invalid restart policy format: no policy provided before colon' : null;
}
