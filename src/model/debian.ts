export type DebianArchitecture = 'amd64' | 'arm64' | 'armhf' | 'armel' | 'i386';

/** One file of an archive: everything needed to fetch and verify it, without the name of a mirror. */
export interface LockedFile {
  /** Which archive of the sources list carries it. */
  archive: 'main' | 'security';
  /** Path below the archive's root, from the signed index: pool/… */
  filename: string;
  sizeBytes: number;
  sha256: string;
}

/** One package of a lock. */
export interface LockedPackage extends LockedFile {
  name: string;
  version: string;
  architecture: DebianArchitecture | 'all';
  /** Sets of the request that it belongs to; omitted for a package of the main set alone. */
  sets?: string[];
}

/** One source package of a lock, with the archives that it consists of; the .dsc adds nothing to the signed index, which has their sums. */
export interface LockedSource {
  name: string;
  version: string;
  files: LockedFile[];
}

/** What a lock is asked for. Names may carry an architecture (`linux-image-arm64:arm64`). */
export interface DebianRequest {
  architecture: DebianArchitecture;
  foreign: DebianArchitecture[];
  /** The main set: these packages and what they depend on. */
  packages: string[];
  /** Further sets resolved against the same indexes, by name (`kernel`, `initrd`, `bootLoader`, `development`). */
  sets?: Record<string, DebianSetRequest>;
  /** Source packages, by their own names. */
  sources?: string[];
}

export interface DebianSetRequest {
  packages: string[];
  /** Whether apt adds what they depend on. */
  dependencies: boolean;
  /** Another suite of the main archive that this set alone is taken from. */
  suite?: string;
  /** Left empty where the archive has no package of such a name. */
  optional?: true;
}

/**
 * A resolved set of packages: what was asked for and what apt made of it. `request` is compared with what the
 * recipes ask for now; a difference makes the lock stale.
 */
export interface DebianLock {
  version: 1;
  suite: string;
  components: string[];
  request: DebianRequest;
  packages: LockedPackage[];
  /** Omitted where the request has none. */
  sources?: LockedSource[];
}
