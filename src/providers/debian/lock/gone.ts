import type { LockedPackage } from '../../../model/index.ts';
import type { Archives } from '../apt/sources.ts';
import { packageUrl } from '../fetch/fetch.ts';
import type { HttpClient } from '../../../http/index.ts';

/**
 * Asks the mirror for the heads of packages; returns those that it does not have. What cannot be asked (no network) counts
 * as there: a build that needs it will say so.
 */
export async function goneFromMirror(packages: LockedPackage[], archives: Archives, client: HttpClient, signal: AbortSignal): Promise<LockedPackage[]> {
  const gone: LockedPackage[] = [];
  const queue = [...packages];
  let reachable = true;
  const lane = async (): Promise<void> => {
    for (let locked = queue.shift(); locked !== undefined && reachable; locked = queue.shift()) {
      const url = packageUrl(archives, locked);
      try {
        const response = await client.request(url, { method: 'HEAD', signal });
        response.resume();
        if (response.statusCode === 404 || response.statusCode === 410) gone.push(locked);
      } catch {
        signal.throwIfAborted();
        reachable = false;
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  return gone.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
