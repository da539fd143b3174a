import { ENGINE_VERSION } from '../version.ts';

/** What `--version` prints; scripts read "Docker version X, build Y" when called as docker. */
export function programVersion(program: string): string {
  return program === 'docker' ? `Docker version ${ENGINE_VERSION}, build minke` : `minke version ${ENGINE_VERSION}`;
}
