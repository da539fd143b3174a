import { systemErrorCode } from '../error.ts';
import type { Files, Sockets, TlsRequest } from '../ports/index.ts';
import { authority, type Url } from './url.ts';

const SYSTEM_AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';
const FOLDERS = ['/etc/minke/certs.d', '/etc/docker/certs.d'];

/**
 * How to trust a registry: the system's authorities and, as with Docker, those in certs.d/HOST[:PORT]/*.crt, with the client
 * certificate *.cert and *.key beside them.
 */
export function tlsFor(files: Files, sockets: Sockets, url: Url, insecure: boolean, timeoutMs: number): TlsRequest {
  const authorities: string[] = [];
  let client: TlsRequest['client'];
  for (const folder of FOLDERS.map((root) => `${root}/${authority(url)}`)) {
    const names = list(files, folder);
    authorities.push(...names.filter((name) => name.endsWith('.crt')).map((name) => `${folder}/${name}`));
    const certificate = names.find((name) => name.endsWith('.cert'));
    if (certificate === undefined || client !== undefined) continue;
    const key = certificate.replace(/\.cert$/, '.key');
    if (names.includes(key)) client = { certificate: files.readText(`${folder}/${certificate}`), key: files.readText(`${folder}/${key}`) };
  }
  // The system's list is some hundred certificates to parse: not for nothing.
  const trust = sockets.trust(insecure ? authorities : [SYSTEM_AUTHORITIES, ...authorities]);
  return { trust, insecure, serverName: url.host, timeoutMs, ...(client === undefined ? {} : { client }) };
}

function list(files: Files, folder: string): string[] {
  try {
    return files.readdir(folder).map(({ name }) => name).sort();
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT' || systemErrorCode(error) === 'ENOTDIR') return [];
    throw error;
  }
}
