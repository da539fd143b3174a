import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { OsbuildError } from '../model/index.ts';

/** What a registry answered, where that was not what was asked for. */
export class RegistryAnswer extends Error {
  readonly status: number;
  /** Codes of its errors (`DENIED`, `TOOMANYREQUESTS`). */
  readonly codes: readonly string[];
  readonly retryAfterMs: number | undefined;

  constructor(status: number, codes: readonly string[], message: string, retryAfterMs?: number) {
    super(message);
    this.status = status;
    this.codes = codes;
    this.retryAfterMs = retryAfterMs;
  }
}

const answerLimitBytes = 64 * 1024;
const retryAfterLimitMs = 60_000;

/** The error of an answer; reads its body. */
export async function refusal(response: IncomingMessage, what: string): Promise<RegistryAnswer> {
  const status = response.statusCode ?? 0;
  const errors = listErrors((await readText(response, answerLimitBytes).catch(() => '')) ?? '');
  const said = errors.map(({ code, message }) => [code, message].filter(Boolean).join(': ')).join('; ');
  const seconds = Number(response.headers['retry-after'] ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? Math.min(Math.max(0, seconds) * 1000, retryAfterLimitMs) : undefined;
  return new RegistryAnswer(status, errors.map(({ code }) => code), `${what} was answered with ${status}${said === '' ? '' : ` (${said})`}`, retryAfterMs);
}

function listErrors(text: string): { code: string; message: string }[] {
  try {
    const { errors } = JSON.parse(text) as { errors?: unknown };
    return Array.isArray(errors) ? errors.map((one: { code?: unknown; message?: unknown } | null) => ({ code: String(one?.code ?? ''), message: String(one?.message ?? '').slice(0, 300) })) : [];
  } catch {
    return [];
  }
}

/** A body of at most so many bytes, as it is. */
export async function readBytes(response: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    sizeBytes += part.length;
    if (sizeBytes > limitBytes) throw new RegistryAnswer(0, [], `the registry sends more than ${limitBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

export const readText = async (response: IncomingMessage, limitBytes: number): Promise<string> => (await readBytes(response, limitBytes)).toString('utf8');

/** What a registry says of an upload that it has lost, or has other bytes of than we think: a fresh one may do. */
const lostUpload = ['BLOB_UPLOAD_UNKNOWN', 'BLOB_UPLOAD_INVALID', 'RANGE_INVALID', 'SIZE_INVALID'];
const passingCodes = ['ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'ETIMEDOUT', 'EPIPE', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH', 'ERR_STREAM_PREMATURE_CLOSE'];

export const isLostUpload = (error: unknown): boolean => error instanceof RegistryAnswer && (error.status === 404 || error.status === 416 || error.codes.some((code) => lostUpload.includes(code)));

/** Whether the next attempt may go better. */
function isPassing(error: unknown): boolean {
  if (error instanceof RegistryAnswer) return error.status >= 500 || [408, 425, 429].includes(error.status) || isLostUpload(error);
  const { code, name, message } = error as NodeJS.ErrnoException;
  return name === 'TimeoutError' || passingCodes.includes(code ?? '') || message === 'aborted';
}

/** Again after failures that may pass, until as many in a row have been in vain as there are delays. `progressed` says that an attempt was not in vain. */
export async function persistently<T>(delaysMs: readonly number[], signal: AbortSignal, action: (progressed: () => void) => Promise<T>): Promise<T> {
  for (let failures = 0; ; ) {
    try {
      return await action(() => (failures = 0));
    } catch (error) {
      const delay = delaysMs[failures++];
      if (signal.aborted || delay === undefined || !isPassing(error)) throw error;
      await sleep(Math.max(delay, (error instanceof RegistryAnswer ? error.retryAfterMs : undefined) ?? 0), undefined, { signal }).catch(() => undefined);
    }
  }
}

/** What the caller is told. `loggedIn`: whether there was a login for the registry. */
export function registryFailure(error: unknown, name: string, { loggedIn, signal }: { loggedIn: boolean; signal: AbortSignal }): unknown {
  if (signal.aborted) return new OsbuildError('OSB_CANCELLED', 'cancelled', { cause: error });
  if (error instanceof OsbuildError || !(error instanceof Error)) return error;
  const registry = name.slice(0, name.indexOf('/'));
  if (error instanceof RegistryAnswer) return new OsbuildError('OSB_REGISTRY', `${name}: ${error.message}`, { hint: hintOf(error, registry, loggedIn), details: { status: error.status, codes: error.codes }, cause: error });
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code)) {
    return new OsbuildError('OSB_REGISTRY', `${registry} shows a certificate that cannot be trusted: ${error.message}`, { hint: 'NODE_EXTRA_CA_CERTS names a file with the authority that signed it', details: { code }, cause: error });
  }
  // Anything else without a code of the system is a bug.
  if (code === '' && error.name !== 'TimeoutError' && error.message !== 'aborted' && !/proxy|redirect/.test(error.message)) return error;
  return new OsbuildError('OSB_REGISTRY', `${registry} cannot be reached: ${error.message || code}`, { hint: 'what the registry has got stays there: run it again. A registry without TLS wants --insecure', details: { code }, cause: error });
}

function hintOf({ status, codes }: RegistryAnswer, registry: string, loggedIn: boolean): string | undefined {
  if (status === 401 || (status === 403 && !loggedIn)) return loggedIn ? `the registry does not take the login that is kept for it: \`docker login ${registry}\` makes a new one` : `no login is kept for ${registry}: \`docker login ${registry}\` makes one (DOCKER_CONFIG, or ~/.docker/config.json)`;
  if (status === 403 || codes.includes('DENIED')) return 'this account may not do that there';
  if (status === 404 && codes.includes('NAME_UNKNOWN')) return 'some registries want a repository to be made before anything is pushed to it';
  if (status === 405) return 'the registry takes no writes: it may be a mirror';
  if (status === 413) return 'a proxy in front of the registry takes no bodies of this size';
  if (codes.includes('DIGEST_INVALID')) return 'what was sent is not what its digest says: the archive may be damaged';
  if (status >= 500 || status === 429) return 'what the registry has got stays there: run it again later';
  return undefined;
}
