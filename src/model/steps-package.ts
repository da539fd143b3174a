/** The engine as an archive for other systems (src/engine-package). */
export interface PackageSteps {
  /**
   * Inputs: `minke` (binary), `programs` (tree of the target's architecture), `debs` (its packages), `files` (sources), `tools` (tree). Output:
   * package.tar.gz, whose only folder is `name`.
   */
  'package/engine': { name: string };
}
