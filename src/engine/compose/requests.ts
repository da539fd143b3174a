import type { KeeperFiles, Places } from './places.ts';

export const REQUEST_VERBS = ['apply', 'start', 'stop', 'restart', 'remove'] as const;

/** What somebody asks the keeper to do. */
export interface Request {
  readonly id: string;
  readonly verb: (typeof REQUEST_VERBS)[number];
  /** None: all. */
  readonly services: readonly string[];
}

export async function writeRequest(files: KeeperFiles, { run }: Places, request: Request): Promise<void> {
  await files.replaceFile(`${run}/requests/${request.id}.json`, JSON.stringify(request), 0o600);
}

/** Takes all that have been written. */
export function readRequests(files: KeeperFiles, { run }: Places): Request[] {
  return files.readdir(`${run}/requests`).filter(({ name }) => name.endsWith('.json')).flatMap(({ name }) => {
    const path = `${run}/requests/${name}`;
    const text = files.readText(path);
    files.unlink(path);
    try {
      const value = JSON.parse(text) as Request;
      return REQUEST_VERBS.includes(value.verb) && Array.isArray(value.services) ? [value] : [];
    } catch {
      return [];
    }
  });
}
