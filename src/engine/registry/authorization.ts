import { text } from 'host:bytes';
import type { Challenge } from './challenge.ts';
import { basicAuthorization, type Credentials } from './credentials.ts';
import { errorFromAnswer, RegistryError } from './registry-error.ts';
import type { Reply, Transport } from './transport.ts';
import { formatQuery, formatUrl, parseUrl, withQuery } from './url.ts';

const CLIENT_ID = 'minke';
const TOKEN_LIMIT_BYTES = 1024 * 1024;

/**
 * The Authorization header that answers a registry's challenges. `scope` is what to ask for when the challenge does not say,
 * and `always` what to ask for whatever it says;
 * `plainAllowed`: whether credentials may travel without TLS.
 */
export async function authorize(transport: Transport, challenges: readonly Challenge[], credentials: Credentials, scope: string, plainAllowed: boolean, always: readonly string[] = []): Promise<string> {
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer !== undefined) return `Bearer ${credentials.registryToken || (await fetchToken(transport, bearer, credentials, scopesOf(bearer, scope, always), plainAllowed))}`;
  if (challenges.some(({ scheme }) => scheme === 'basic')) {
    if (credentials.username === '') throw new RegistryError('NO_CREDENTIALS', 'no basic auth credentials', { status: 401 });
    return basicAuthorization(credentials);
  }
  const offered = challenges.map(({ scheme }) => scheme).join(', ');
  throw new RegistryError('UNAUTHORIZED', `unauthorized: the registry asks for a login of a kind that is not known (${offered || 'none named'})`, { status: 401 });
}

/** Why a registry still refuses after a login. */
export function refusal(challenges: readonly Challenge[], reply: { status: number }, body: string): RegistryError {
  const reason = challenges.find(({ scheme }) => scheme === 'bearer')?.parameters.get('error');
  if (reason === 'insufficient_scope') return new RegistryError('DENIED', 'denied: requested access to the resource is denied', { status: 401 });
  return errorFromAnswer(reply.status, body, undefined);
}

/** One of our own takes the place of the challenge's for the same repository. */
function scopesOf({ parameters }: Challenge, scope: string, always: readonly string[]): string[] {
  const asked = (parameters.get('scope') ?? scope).split(' ').filter((each) => each !== '');
  const subject = (each: string): string => each.slice(0, each.lastIndexOf(':'));
  return [...always, ...asked.filter((each) => !always.some((own) => subject(own) === subject(each)))];
}

async function fetchToken(transport: Transport, challenge: Challenge, credentials: Credentials, scopes: readonly string[], plainAllowed: boolean): Promise<string> {
  const { parameters } = challenge;
  const realm = parseUrl(parameters.get('realm') ?? '');
  if (realm === undefined) throw new RegistryError('UNAUTHORIZED', 'unauthorized: the registry names no valid address for tokens', { status: 401 });
  const secret = credentials.username !== '' || credentials.identityToken !== '';
  if (secret && !realm.secure && !plainAllowed) {
    throw new RegistryError('UNAUTHORIZED', `unauthorized: ${formatUrl(realm)} wants the password without TLS`, { status: 401 });
  }
  const service = parameters.get('service');
  let reply: Reply;
  if (credentials.identityToken !== '') {
    const body = formatQuery({ grant_type: 'refresh_token', service, scope: scopes.length === 0 ? undefined : scopes.join(' '), client_id: CLIENT_ID, refresh_token: credentials.identityToken }).slice(1);
    reply = await transport.send(realm, { method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body });
  } else {
    const query = formatQuery({ account: credentials.username || undefined, service, scope: scopes, client_id: secret ? CLIENT_ID : undefined });
    const target = withQuery(realm.target, query);
    reply = await transport.send({ ...realm, target }, { headers: secret ? { Authorization: basicAuthorization(credentials) } : {} });
  }
  const body = text(await reply.bytes(TOKEN_LIMIT_BYTES));
  if (reply.status === 401 && secret) throw new RegistryError('UNAUTHORIZED', 'unauthorized: incorrect username or password', { status: 401 });
  if (reply.status !== 200) throw errorFromAnswer(reply.status, body, reply.headers.get('retry-after'));
  try {
    const { token, access_token: accessToken } = JSON.parse(body) as { token?: unknown; access_token?: unknown };
    const found = typeof token === 'string' && token !== '' ? token : accessToken;
    if (typeof found === 'string' && /^[\x21-\x7e]+$/.test(found)) return found;
  } catch {
    // Falls through to the same complaint.
  }
  throw new RegistryError('UNAUTHORIZED', `unauthorized: ${formatUrl({ ...realm, target: realm.target.replace(/\?.*$/, '') })} gave no token`, { status: 401 });
}
