import { fromBase64, text } from 'host:bytes';

/** What a key of config.json holds that takes PEM, or base64 of PEM; undefined where it is neither. */
export function pemOf(value: string): string | undefined {
  if (value.includes('-----BEGIN')) return value;
  try {
    return text(fromBase64(value.replace(/\s+/g, '')));
  } catch {
    return undefined;
  }
}
