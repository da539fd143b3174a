import { EngineError } from '../../error.ts';

/** What `URL#ref:folder` says. */
export interface GitAddress {
  /** As git takes it. */
  url: string;
  /** Branch, tag or commit; '' for what the repository has checked out. */
  ref: string;
  /** Below the top of the repository; '' for all. */
  folder: string;
}

const SCHEMES = /^(?:git|ssh):\/\//i;
const SHORT = /^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:/;

/** Whether the text names a repository, and no archive or file: by its scheme, by `user@host:`, by `.git` at the end, or as github.com/… */
export function isGitAddress(text: string): boolean {
  const address = text.replace(/#.*$/, '');
  return SCHEMES.test(address) || SHORT.test(address) || address.startsWith('github.com/') || (/^https?:\/\//i.test(address) && address.endsWith('.git'));
}

function refuse(text: string, why: string): never {
  throw new EngineError('invalid', 'GIT_ADDRESS', `${JSON.stringify(text)} is no address of a repository that can be built: ${why}`);
}

/**
 * Takes an address apart. Nothing of it can be taken for an option by git or ssh, or for a path of this machine. Throws 'invalid'.
 */
export function parseGitAddress(text: string): GitAddress {
  const at = text.indexOf('#');
  const [address, fragment] = at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
  const url = address.startsWith('github.com/') ? `https://${address}` : address;
  const colon = fragment.indexOf(':');
  const ref = colon < 0 ? fragment : fragment.slice(0, colon);
  const folder = colon < 0 ? '' : fragment.slice(colon + 1);
  // A control character in it would be a line of its own in what git is told.
  if (/[^!-~]/.test(url)) refuse(text, 'it has characters that addresses do not have');
  const long = /^(?:https?|git|ssh):\/\/(?:[^@/]*@)?(\[[0-9a-f:.]+\]|[^/:@]*)(?::\d{1,5})?\/./i.exec(url);
  const short = long === null ? /^([A-Za-z0-9._-]+)@([A-Za-z0-9.-]+):[^-]/.exec(url) : null;
  const host = long?.[1] ?? short?.[2];
  if (host === undefined || host === '' || host.startsWith('-') || /:\/\/-/.test(url) || url.startsWith('-')) refuse(text, 'https://, http://, git:// and ssh://HOST/PATH are known, and user@HOST:PATH');
  if (ref !== '' && (!/^[\w][\w./@+-]*$/.test(ref) || ref.includes('..') || ref.includes('@{') || ref.endsWith('.lock') || ref.endsWith('/'))) refuse(text, `${JSON.stringify(ref)} is no name of a branch, tag or commit`);
  if (folder.split('/').includes('..') || folder.includes('\0')) refuse(text, `the folder ${JSON.stringify(folder)} leads out of it`);
  return { url, ref, folder: folder.replace(/^\/+|\/+$/g, '') };
}
