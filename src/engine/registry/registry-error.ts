import { messageOf, systemErrorCode } from '../error.ts';

/** A registry refused, or could not be talked to. */
export class RegistryError extends Error {
  /** The registry's own code ('MANIFEST_UNKNOWN', 'DENIED' …), 'HTTP' for an answer without one, or one of ours. */
  readonly code: string;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, options: { status?: number; retryAfterMs?: number | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'RegistryError';
    this.code = code;
    this.status = options.status ?? 0;
    this.retryAfterMs = options.retryAfterMs;
  }
}

const REASONS: Record<number, string> = { 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 408: 'Request Timeout', 429: 'Too Many Requests', 500: 'Internal Server Error', 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout' };
const USUAL_CODES: Record<number, string> = { 401: 'UNAUTHORIZED', 403: 'DENIED', 429: 'TOOMANYREQUESTS' };
const RETRY_AFTER_LIMIT_S = 120;

/** An error from an answer's status and body, whose text is Docker's: 'manifest unknown: manifest unknown'. */
export function errorFromAnswer(status: number, body: string, retryAfter: string | undefined): RegistryError {
  const retryAfterMs = retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter) ? Math.min(Number(retryAfter), RETRY_AFTER_LIMIT_S) * 1000 : undefined;
  const first = firstError(body);
  if (first === undefined) {
    const usual = USUAL_CODES[status];
    const words = usual === undefined ? `received unexpected HTTP status: ${status} ${REASONS[status] ?? ''}`.trimEnd() : `${wordsOf(usual)}: ${usual === 'UNAUTHORIZED' ? 'authentication required' : (REASONS[status] ?? '')}`;
    return new RegistryError(usual ?? 'HTTP', words, { status, retryAfterMs });
  }
  return new RegistryError(first.code, `${wordsOf(first.code)}: ${first.message}`, { status, retryAfterMs });
}

/** 'MANIFEST_UNKNOWN' → 'manifest unknown' */
function wordsOf(code: string): string {
  return code.toLowerCase().replaceAll('_', ' ');
}

function firstError(body: string): { code: string; message: string } | undefined {
  try {
    const value = JSON.parse(body) as { errors?: { code?: unknown; message?: unknown }[]; details?: unknown } | null;
    const error = value?.errors?.[0];
    if (typeof error?.code !== 'string' || !/^[\w ]{1,64}$/.test(error.code)) return undefined;
    const message = typeof error.message === 'string' && error.message !== '' ? error.message : wordsOf(error.code);
    return { code: error.code, message: message.slice(0, 500) };
  } catch {
    return undefined;
  }
}

const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNREFUSED', 'ECONNABORTED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'TRUNCATED', 'DNS_FAILED',
  // The HTTP conversation broke off; nothing came for too long.
  'closed', 'STALLED', 'ECANCELED',
]);

/** Whether the same request may well succeed in a moment. */
export function isTransient(error: unknown): boolean {
  if (error instanceof RegistryError && error.status > 0) return error.status >= 500 || error.status === 429 || error.status === 408;
  return TRANSIENT_CODES.has(systemErrorCode(error) ?? '');
}

/** The registry cannot be reached at all just now; somebody who waits for a first answer should hear of it at once. */
export function isUnreachable(error: unknown): boolean {
  return ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'DNS_FAILED', 'DNS_NOT_FOUND'].includes(systemErrorCode(error) ?? '');
}

/** A failure to talk to a registry in Docker's words, with the address that was asked for. */
export function describeFailure(error: unknown, url: string, host: string): RegistryError {
  if (error instanceof RegistryError) return error;
  const code = systemErrorCode(error) ?? '';
  const said = messageOf(error).replace(/^tls: /, '').replace(/ \([A-Z_]+\)$/, '');
  const reasons: Record<string, string> = {
    ECONNREFUSED: `dial tcp ${host}: connect: connection refused`,
    EHOSTUNREACH: `dial tcp ${host}: connect: no route to host`,
    ENETUNREACH: `dial tcp ${host}: connect: network is unreachable`,
    ETIMEDOUT: `dial tcp ${host}: i/o timeout`,
    DNS_NOT_FOUND: `dial tcp: lookup ${host.replace(/:\d+$/, '')}: no such host`,
    DNS_FAILED: `dial tcp: lookup ${host.replace(/:\d+$/, '')}: server misbehaving`,
    TLS_VERIFY: `tls: failed to verify certificate: x509: ${said}`,
    TLS_PROTOCOL: `http: server gave HTTP response to HTTPS client, or no TLS that we understand (${said})`,
  };
  return new RegistryError(code, `Get "${url}": ${reasons[code] ?? said}`, { cause: error });
}
