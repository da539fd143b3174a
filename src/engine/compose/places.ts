import type { System } from '../ports/index.ts';

export interface Places {
  /** Folders that may hold a compose file: the first one that does counts. */
  readonly sources: readonly string[];
  /** What has to outlast a restart of the system. */
  readonly state: string;
  /** What has not: the status, and requests to the keeper. */
  readonly run: string;
}

export const devicePlaces: Places = { sources: ['/mnt/boot/apps', '/mnt/data/apps'], state: '/mnt/data/minke-applications', run: '/run/minke-applications' };

/** As Docker Compose looks for them. */
export const FILE_NAMES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
export const MAX_FILE_BYTES = 1024 * 1024;

export type KeeperFiles = System['files'];

/** The file that counts. */
export function findComposeFile(files: Pick<KeeperFiles, 'exists'>, { sources }: Pick<Places, 'sources'>): string | undefined {
  return sources.flatMap((folder) => FILE_NAMES.map((name) => `${folder}/${name}`)).find((path) => files.exists(path));
}
