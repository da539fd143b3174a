import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { start } from '../exec/index.ts';
import { OsbuildError } from '../model/index.ts';
import { loginKey, type ImageName } from './name.ts';

/** How the caller is known to a registry. */
export type Login = { username: string; password: string } | { identityToken: string };

interface DockerConfig {
  auths?: Record<string, { auth?: string; username?: string; password?: string; identitytoken?: string }>;
  credsStore?: string;
  credHelpers?: Record<string, string>;
}

/**
 * The login for a registry as `docker login` and `minke login` keep it: in the config.json of `folder`, or with the credential helper that is named there; null where there is none.
 * @throws OSB_CONFIG_INVALID, OSB_HOST_UNFIT where the helper is not installed
 */
export async function readLogin(name: ImageName, { folder, env }: { folder: string; env: Record<string, string> }): Promise<Login | null> {
  const path = join(folder, 'config.json');
  const config = await readConfig(path);
  const key = loginKey(name);
  const helper = config.credHelpers?.[key] ?? config.credsStore;
  if (helper !== undefined && helper !== '') {
    const found = await askHelper(helper, key, path, env);
    if (found !== null) return found;
  }
  const bare = (entry: string): string => entry.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  const entry = config.auths?.[key] ?? Object.entries(config.auths ?? {}).find(([named]) => bare(named) === key)?.[1];
  if (entry?.identitytoken) return { identityToken: entry.identitytoken };
  if (entry?.auth) {
    const [username = '', ...password] = Buffer.from(entry.auth, 'base64').toString('utf8').replace(/\0+$/, '').split(':');
    return { username, password: password.join(':') };
  }
  return entry?.username ? { username: entry.username, password: entry.password ?? '' } : null;
}

async function readConfig(path: string): Promise<DockerConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return {};
    throw new OsbuildError('OSB_CONFIG_INVALID', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as DockerConfig;
  } catch {
    // The same complaint as for what is JSON, and no object.
  }
  throw new OsbuildError('OSB_CONFIG_INVALID', `${path}, where logins for registries are kept, is not a JSON object`, { hint: 'correct it, or name another folder with DOCKER_CONFIG' });
}

/** Credential helpers are programs: a registry goes in, a login comes out (the protocol of docker-credential-helpers). */
async function askHelper(helper: string, key: string, path: string, env: Record<string, string>): Promise<Login | null> {
  const program = `docker-credential-${helper}`;
  const child = start([program, 'get'], { env, stdio: 'pipe' });
  let said = '';
  child.stdout?.on('data', (data: Buffer) => (said += data.toString()));
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (cause) => reject(new OsbuildError('OSB_HOST_UNFIT', `${program} cannot be run, and ${path} names it: ${cause.message}`, { cause })));
    child.once('close', (status) => resolve(status ?? 1));
  });
  child.stdin?.on('error', () => undefined); // one that ends without reading says why by its status
  child.stdin?.end(key);
  if ((await ended) !== 0) {
    if (/not found/i.test(said)) return null;
    throw new OsbuildError('OSB_COMMAND_FAILED', `${program} failed: ${said.trim() || 'it said nothing'}`);
  }
  let answer: { Username?: unknown; Secret?: unknown };
  try {
    answer = JSON.parse(said) as typeof answer;
  } catch (cause) {
    throw new OsbuildError('OSB_COMMAND_FAILED', `${program} answered with something else than JSON`, { cause });
  }
  const [username, secret] = [String(answer.Username ?? ''), String(answer.Secret ?? '')];
  return username === '<token>' ? { identityToken: secret } : { username, password: secret };
}
