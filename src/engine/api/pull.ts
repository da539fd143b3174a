import { EngineError } from '../error.ts';
import { parsePlatform, parseReference, type Reference } from '../images/index.ts';
import type { DeltaMode } from '../pull/index.ts';
import { decodeAuthHeader } from '../registry/index.ts';
import type { ApiContext } from './context.ts';
import { createMessageStream } from './message-stream.ts';
import { readJson, sendJson, type ApiRequest } from './request.ts';
import { errorAnswer } from './status.ts';

/** POST /images/create?fromImage=…: what fails before anything was said has a status, later an error in the stream. */
export async function pullImage({ puller }: ApiContext, request: ApiRequest): Promise<void> {
  const { query, exchange } = request;
  const reference = pullReference(query.get('fromImage') ?? '', query.get('tag') ?? '');
  const wanted = query.get('platform') ?? '';
  const platform = wanted === '' ? undefined : parsePlatform(wanted);
  const delta = deltaMode(query.get('delta') ?? '');
  const credentials = decodeAuthHeader(exchange.head.headers.get('x-registry-auth'));
  const messages = createMessageStream(() => exchange.stream(200, { 'Content-Type': 'application/json' }));
  try {
    await puller.pull({ reference, platform, credentials, delta }, (message) => messages.send(message), exchange.gone);
  } catch (error) {
    if (!messages.started) throw error;
    const { message } = errorAnswer(error);
    messages.send({ errorDetail: { message }, error: message });
  }
  await messages.end();
}

function deltaMode(text: string): DeltaMode {
  if (text === '' || text === 'auto') return 'auto';
  if (text === 'never' || text === 'require') return text;
  throw new EngineError('invalid', 'DELTA_MODE', `"${text}" is no way to use deltas: auto, never or require`);
}

/** `tag` may be a digest, and counts for more than what the name carries; without either all tags are meant. */
export function pullReference(fromImage: string, tag: string): Reference {
  const named = parseReference(fromImage);
  const { domain, path } = named;
  if (tag === '') return named.digest === undefined ? named : { ...named, tag: undefined };
  const whole = parseReference(`${domain}/${path}${tag.startsWith('sha256:') ? '@' : ':'}${tag}`);
  return { ...whole, domain, path };
}

export async function login({ puller }: ApiContext, request: ApiRequest): Promise<void> {
  const body = await readJson(request);
  const field = (name: string): string => {
    const value = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined;
    return typeof value === 'string' ? value : '';
  };
  const credentials = { username: field('username'), password: field('password'), identityToken: field('identitytoken'), registryToken: '' };
  if (credentials.username === '' && credentials.identityToken === '') throw new EngineError('invalid', 'LOGIN_EMPTY', 'a user name is needed to log in');
  await puller.login(field('serveraddress'), credentials, request.exchange.gone);
  await sendJson(request, 200, { Status: 'Login Succeeded', IdentityToken: '' });
}
