import type { DebianArchitecture, LockedPackage } from './debian.ts';

/** The Debian provider and the tools trees (src/providers/debian). */
export interface DebianSteps {
  /** No inputs. Outputs: one .deb a package, named `<sha256>.deb`, verified. */
  'debian/fetch': { packages: LockedPackage[] };
  /** Inputs: `debs` (task-files). Result: a tree that can be entered; no maintainer script was run. */
  'debian/tree': { architecture: DebianArchitecture; packages: LockedPackage[] };
  /**
   * Inputs: `debs` (task-files). Outputs: files.tar (all packages merged, owners and modes as packaged, paths below
   * usr-merged), packages.json (`PackageManifest`), control.tar (control files by package).
   */
  'debian/unpack': { packages: LockedPackage[]; exclude: string[] };
}
