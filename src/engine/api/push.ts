import { EngineError } from '../error.ts';
import { parseReference } from '../images/index.ts';
import { decodeAuthHeader } from '../registry/index.ts';
import type { ApiContext } from './context.ts';
import { createMessageStream } from './message-stream.ts';
import { param, type ApiRequest } from './request.ts';
import { errorAnswer } from './status.ts';

/** POST /images/{name}/push?tag=…; without a tag all of the repository's are meant. */
export async function pushImage({ pusher }: ApiContext, request: ApiRequest): Promise<void> {
  const { query, exchange } = request;
  const named = parseReference(param(request, 'name'));
  const tag = query.get('tag') ?? '';
  if (named.digest !== undefined) throw new EngineError('invalid', 'REFERENCE_INVALID', 'cannot push a digest reference');
  const reference = tag === '' ? named : parseReference(`${named.domain}/${named.path}:${tag}`);
  const credentials = decodeAuthHeader(exchange.head.headers.get('x-registry-auth'));
  const messages = createMessageStream(() => exchange.stream(200, { 'Content-Type': 'application/json' }));
  try {
    await pusher.push({ reference: { ...reference, domain: named.domain, path: named.path }, credentials }, (message) => messages.send(message), exchange.gone);
  } catch (error) {
    if (!messages.started) throw error;
    const { message } = errorAnswer(error);
    messages.send({ errorDetail: { message }, error: message });
  }
  await messages.end();
}
