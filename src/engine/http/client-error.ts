/**
 * The HTTP conversation itself failed: 'closed' (the peer ended it in mid-answer), 'malformed' (not HTTP), 'too-large'.
 * An answer with an error status is no such failure.
 */
export class HttpClientError extends Error {
  override name = 'HttpClientError';
  readonly code: 'closed' | 'malformed' | 'too-large';

  constructor(code: 'closed' | 'malformed' | 'too-large', message: string) {
    super(message);
    this.code = code;
  }
}
