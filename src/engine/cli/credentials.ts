import { CliError } from './cli-error.ts';
import type { CommandContext } from './command.ts';
import { registryOf } from './output/image-name.ts';

/** Standard base64 of a text's UTF-8, written out because the runtime has no btoa. */
export function base64(bytes: Uint8Array, alphabet: 'standard' | 'url' = 'standard'): string {
  const digits = `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789${alphabet === 'url' ? '-_' : '+/'}`;
  let out = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const have = Math.min(3, bytes.length - at);
    const word = (a << 16) | (b << 8) | c;
    out += (digits[word >> 18] ?? '') + (digits[(word >> 12) & 63] ?? '') + (have > 1 ? digits[(word >> 6) & 63] ?? '' : '=') + (have > 2 ? digits[word & 63] ?? '' : '=');
  }
  return out;
}

export function fromBase64(text: string): Uint8Array {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const values = [...text.replaceAll('-', '+').replaceAll('_', '/').replace(/[=\s]/g, '')].map((digit) => digits.indexOf(digit));
  if (values.includes(-1)) throw new CliError('malformed base64 in the saved credentials');
  const out: number[] = [];
  for (let at = 0; at < values.length; at += 4) {
    const [a = 0, b = 0, c = 0, d = 0] = values.slice(at, at + 4);
    const have = Math.min(4, values.length - at);
    out.push((a << 2) | (b >> 4));
    if (have > 2) out.push(((b & 15) << 4) | (c >> 2));
    if (have > 3) out.push(((c & 3) << 6) | d);
  }
  return Uint8Array.from(out);
}

/** The key under which config.json and helpers keep a registry's credentials. */
export function credentialKey(registry: string): string {
  return ['docker.io', 'index.docker.io', 'registry-1.docker.io'].includes(registry) ? 'https://index.docker.io/v1/' : registry;
}

interface HelperAnswer {
  readonly Username?: string;
  readonly Secret?: string;
}

/** X-Registry-Auth for the registry of an image: from the credential helper, else from config.json, else empty. */
export async function registryAuthHeader(context: CommandContext, imageName: string): Promise<Record<string, string>> {
  const { config, ports } = context;
  const key = credentialKey(registryOf(imageName));
  const helper = config.credHelpers[key] ?? config.credsStore;
  let auth: Record<string, string> | null = null;
  if (helper !== '') {
    const result = await ports.process.run([`docker-credential-${helper}`, 'get'], key);
    if (!result) throw new CliError(`the credential helper docker-credential-${helper} is not installed; it is named in ${config.directory}/config.json`);
    if (result.code === 0) {
      const answer = JSON.parse(result.stdout) as HelperAnswer;
      auth = answer.Username === '<token>' ? { identitytoken: answer.Secret ?? '' } : { username: answer.Username ?? '', password: answer.Secret ?? '' };
    } else if (!/not found/i.test(result.stdout)) {
      throw new CliError(`docker-credential-${helper} failed: ${result.stdout.trim()}`);
    }
  }
  if (!auth) {
    const entry = Object.entries(config.auths).find(([name]) => name === key || name.replace(/^https?:\/\//, '').replace(/\/.*$/, '') === key)?.[1];
    if (entry?.identitytoken) auth = { identitytoken: entry.identitytoken };
    else if (entry?.auth) {
      const text = ports.codec.decode(fromBase64(entry.auth));
      const colon = text.indexOf(':');
      auth = { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
    }
  }
  if (!auth) return {};
  return { 'X-Registry-Auth': base64(ports.codec.encode(JSON.stringify({ ...auth, serveraddress: key })), 'url') };
}
