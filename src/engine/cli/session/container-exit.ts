import type { ApiClient } from '../api/api-client.ts';
import { CliError } from '../cli-error.ts';

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

interface WaitAnswer {
  readonly StatusCode: number;
  readonly Error?: { readonly Message?: string } | null;
}

/**
 * Begins to wait for a container's end. Resolves once the daemon has taken the wait on, so that a container which is
 * started afterwards cannot end unseen; the inner promise gives its exit status.
 */
export async function beginWait(api: ApiClient, containerId: string, condition: WaitCondition): Promise<{ readonly exitCode: Promise<number>; cancel(): void }> {
  const answer = await api.stream('POST', `/containers/${containerId}/wait`, { query: { condition: condition === 'not-running' ? undefined : condition } });
  const exitCode = answer.text().then((text) => {
    if (text.trim() === '') throw new CliError('the daemon ended the wait without an exit status: was it stopped?', 125);
    const value = JSON.parse(text) as WaitAnswer;
    if (value.Error?.Message) throw new CliError(value.Error.Message, 125);
    return value.StatusCode;
  });
  exitCode.catch(() => undefined);
  return { exitCode, cancel: () => answer.close() };
}
