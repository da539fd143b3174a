// Generated from src/config/schemas/recipe.schema.json by src/config/generate-types.mjs: edit the schema.

export type Name = string;
export type Mode = string;
/**
 * user or user:group, by name.
 */
export type Owner = string;

/**
 * A component of the OS: packages per provider, files, units, users, writable paths, boot checks.
 */
export interface Recipe {
  /**
   * For editors; not read.
   */
  $schema?: string;
  description: string;
  /**
   * Recipes that this one cannot do without; they are taken along.
   */
  needs?: Name[];
  packages?: Packages;
  /**
   * Globs (from /, ** crosses folders) of packaged files that stay out of the image. A leading ! keeps what an earlier one excluded.
   */
  exclude?: string[];
  /**
   * Text of packaged files that is replaced in the image, for what a package does wrong and no file of its own can override. The build fails where the text is not found, so that an edit goes when the package is mended. Debian's packages only: with Yocto a .bbappend of a layer carries the patch.
   */
  edits?: {
    path: string;
    /**
     * The text as it stands in the file, exactly once; no pattern.
     */
    find: string;
    replace: string;
    reason: string;
  }[];
  files?: Files;
  units?: Units;
  /**
   * Lines of sysusers.d(5).
   */
  users?: string[];
  /**
   * Paths of the read-only root that are bound from the state partition, created there from the image's content on first boot.
   */
  state?: (
    | string
    | {
        path: string;
        mode?: Mode;
        owner?: Owner;
        /**
         * Default: state.
         */
        on?: 'state' | 'data';
      }
  )[];
  /**
   * Symbolic links of the image: path → target.
   */
  links?: {
    [k: string]: string;
  };
  statoverrides?: Files1;
  /**
   * Modules that must be in the image; the build fails where the kernel has them neither built in nor as a module.
   */
  kernelModules?: string[];
  /**
   * Words for the kernel's command line, behind those of the machine and of the image's mode.
   */
  kernelParameters?: string[];
  initrd?: {
    packages?: Packages;
    modules?: string[];
    /**
     * Programs copied from those packages, with the libraries they need.
     */
    programs?: string[];
    /**
     * Programs of Minke OS itself that are compiled for the machine, at /usr/sbin of the initrd.
     */
    built?: 'minke-splash'[];
  };
  /**
   * Packages whose maintainer scripts this recipe (or the finish step) stands in for, each with what was done instead.
   */
  finish?: {
    package: string;
    reason: string;
  }[];
  /**
   * This recipe receives the engine's binary at /usr/bin/minke.
   */
  engine?: boolean;
  development?: ModePart;
  production?: ModePart;
  /**
   * Boot checks: shell commands run on the booted device as root.
   */
  checks?: {
    name: string;
    /**
     * Run by sh; exit status 0 means passed.
     */
    run: string;
    /**
     * Regular expression that standard output must match.
     */
    expect?: string;
    timeoutSeconds?: number;
    /**
     * Tried again until it passes or this time is over.
     */
    retrySeconds?: number;
    mode?: 'development' | 'production';
  }[];
}
export interface Packages {
  debian?: string[];
  yocto?: string[];
}
/**
 * Path → mode and owner. For `files`: exceptions for what stands in the recipe's files/ folder, or paths to create (a trailing / makes a folder). Default root:root, 0644, 0755 for folders and executables.
 */
export interface Files {
  [k: string]: {
    mode?: Mode;
    owner?: Owner;
  };
}
export interface Units {
  enable?: string[];
  disable?: string[];
  mask?: string[];
}
/**
 * Path → mode and owner. For `files`: exceptions for what stands in the recipe's files/ folder, or paths to create (a trailing / makes a folder). Default root:root, 0644, 0755 for folders and executables.
 */
export interface Files1 {
  [k: string]: {
    mode?: Mode;
    owner?: Owner;
  };
}
/**
 * Applies only to images of this mode; its files stand in files.development/ or files.production/.
 */
export interface ModePart {
  packages?: Packages;
  files?: Files;
  units?: Units;
  links?: {
    [k: string]: string;
  };
}
