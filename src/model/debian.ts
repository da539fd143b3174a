export type DebianArchitecture = 'amd64' | 'arm64' | 'armhf' | 'armel' | 'i386';

/** One package of a lock: everything needed to fetch and verify it, without the name of a mirror. */
export interface LockedPackage {
  name: string;
  version: string;
  architecture: DebianArchitecture | 'all';
  /** Which archive of the sources list carries it. */
  archive: 'main' | 'security';
  /** Path below the archive's root, from the signed index: pool/… */
  filename: string;
  sizeBytes: number;
  sha256: string;
}

/**
 * A resolved set of packages: what was asked for and what apt made of it. `request` is compared with what the
 * recipes ask for now; a difference makes the lock stale.
 */
export interface DebianLock {
  version: 1;
  suite: string;
  request: { architecture: DebianArchitecture; foreign: DebianArchitecture[]; packages: string[] };
  packages: LockedPackage[];
}
