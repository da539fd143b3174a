import { base64, encode, fromBase64, text } from 'host:bytes';
import { EngineError } from '../error.ts';

/** What a user has to show to a registry; all empty for nothing. */
export interface Credentials {
  username: string;
  password: string;
  /** A refresh token, in place of the password. */
  identityToken: string;
  /** A bearer token that is ready to use. */
  registryToken: string;
}

export const NO_CREDENTIALS: Credentials = { username: '', password: '', identityToken: '', registryToken: '' };

/** X-Registry-Auth: base64 of {"username":…,"password":…} or {"identitytoken":…}. Throws 'invalid'. */
export function decodeAuthHeader(header: string | undefined): Credentials {
  if (header === undefined || header === '') return NO_CREDENTIALS;
  let value: unknown;
  try {
    const json = text(fromBase64(header));
    value = json === '' ? {} : JSON.parse(json);
  } catch (error) {
    throw new EngineError('invalid', 'AUTH_HEADER', 'invalid X-Registry-Auth header: it is not JSON in base64', { cause: error });
  }
  return readCredentials(value);
}

/** From Docker's AuthConfig, in which `auth` is 'user:password' in base64. */
export function readCredentials(value: unknown): Credentials {
  if (typeof value !== 'object' || value === null) return NO_CREDENTIALS;
  const field = (name: string): string => {
    const found = (value as Record<string, unknown>)[name];
    return typeof found === 'string' ? found : '';
  };
  const credentials = { username: field('username'), password: field('password'), identityToken: field('identitytoken'), registryToken: field('registrytoken') };
  if (credentials.username !== '' || field('auth') === '') return credentials;
  let pair: string;
  try {
    pair = text(fromBase64(field('auth')));
  } catch (error) {
    throw new EngineError('invalid', 'AUTH_HEADER', 'the field auth of the credentials is not base64', { cause: error });
  }
  const colon = pair.indexOf(':');
  return { ...credentials, username: colon < 0 ? pair : pair.slice(0, colon), password: colon < 0 ? '' : pair.slice(colon + 1) };
}

export function basicAuthorization({ username, password }: Credentials): string {
  return `Basic ${base64(encode(`${username}:${password}`))}`;
}
