import { messageOf } from '../../error.ts';
import type { DeviceConfig } from './device-config.ts';
import { CONFIG_KEYS } from './keys.ts';
import { isObject, read, valueOf, type Complaint, type Json } from './read.ts';

/** Of config.json; a larger one is not looked into. */
export const MAX_BYTES = 1024 * 1024;

export interface Reading {
  /** What counts: right values of the file, and last good ones in place of wrong ones. */
  config: DeviceConfig;
  complaints: Complaint[];
  /** Whether the file asks for SSH keys, in words that nobody could use: then nobody gets in without one. */
  asksForKeys: boolean;
}

const LAST_COPY = 'the last good copy is used';

/** The texts of config.json and of its last good copy; undefined: the file is not there or cannot be read. */
export function readConfig(text: string | undefined, goodText: string | undefined): Reading {
  const last = readGood(goodText);
  if (text === undefined) return { config: last, complaints: [{ path: [], text: `the file is missing: ${LAST_COPY}` }], asksForKeys: false };
  const document = parseDocument(text);
  if (typeof document === 'string') {
    return { config: last, complaints: [{ path: [], text: `${document}: ${LAST_COPY}` }], asksForKeys: valueOf(valueOf(last as Json, 'os'), 'sshKeys') === undefined && /ssh/i.test(text) };
  }
  const complaints: Complaint[] = [];
  const { $schema: _, ...config } = (read(CONFIG_KEYS, document, last as Json, [], complaints) ?? {}) as DeviceConfig & { $schema?: string };
  return { config, complaints, asksForKeys: complaints.some(({ path }) => isAboutKeys(path)) };
}

/** os.sshKeys, all of os, or what somebody may have meant to be the keys. */
function isAboutKeys(path: Complaint['path']): boolean {
  return path[0] !== 'vpn' && path.some((part) => typeof part === 'string' && /ssh|keys?$/i.test(part)) || (path.length === 1 && path[0] === 'os');
}

function readGood(text: string | undefined): DeviceConfig {
  const document = text === undefined ? 'none' : parseDocument(text);
  // Written by an older or newer release, perhaps: what this one does not know does not count.
  return typeof document === 'string' ? {} : ((read(CONFIG_KEYS, document, undefined, [], []) ?? {}) as DeviceConfig);
}

/** The document, or what is wrong with it. */
export function parseDocument(text: string): { [key: string]: Json } | string {
  if (text.length > MAX_BYTES) return 'larger than 1 MiB';
  let document: Json;
  try {
    // Editors of some systems put a byte order mark before it.
    document = JSON.parse(text.replace(/^\uFEFF/, '')) as Json;
  } catch (error) {
    return text.trim() === '' ? 'empty' : `not JSON (${messageOf(error).replace(/\s+/g, ' ').slice(0, 120)})`;
  }
  return isObject(document) ? document : 'not a JSON object';
}
