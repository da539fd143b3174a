// Generated from src/config/schemas/build.schema.json by src/config/generate-types.mjs: edit the schema.
import type { DeviceConfig } from './config.ts';

/**
 * build.config.yaml: what this project builds.
 */
export interface BuildConfig {
  /**
   * For editors; not read.
   */
  $schema?: string;
  /**
   * Folder of the project this one builds on, or `osbuild` for the one that came with the program. Machines and recipes of this folder override those of the base by name.
   */
  base?: string;
  os?: {
    /**
     * NAME in os-release.
     */
    name?: string;
    /**
     * ID in os-release.
     */
    id?: string;
    /**
     * VERSION_ID in os-release.
     */
    version?: string;
  };
  /**
   * development: open console login; production: none of that.
   */
  mode?: 'development' | 'production';
  /**
   * Where packages come from: Debian's archive, or sources built by bitbake.
   */
  provider?: 'debian' | 'yocto';
  /**
   * Recipes of every image. A project's list replaces its base's.
   */
  recipes?: string[];
  /**
   * Added to the base's list.
   */
  addRecipes?: string[];
  /**
   * Taken off the base's list.
   */
  removeRecipes?: string[];
  debian?: {
    suite?: string;
    /**
     * @minItems 1
     */
    components?: [string, ...string[]];
    /**
     * Instead of the mirror of the host's apt configuration.
     */
    mirror?: string;
    securityMirror?: string;
    /**
     * OpenPGP keyring (file) that signs the archive; default: the one built in.
     */
    keyring?: string;
    /**
     * Globs of files that no image carries, such as documentation.
     */
    exclude?: string[];
  };
  /**
   * For the yocto provider.
   */
  yocto?: {
    /**
     * Release of the Yocto Project (LAYERSERIES) that every layer must be compatible with.
     */
    release?: string;
    /**
     * DISTRO.
     */
    distro?: string;
    /**
     * Recipe of the root filesystem.
     */
    image?: string;
    /**
     * Recipe of the file system that the initrd's programs are taken from.
     */
    initrdImage?: string;
    /**
     * Sources of layers by name; `bitbake` and `openembedded-core` must be among them.
     */
    layers?: {
      [k: string]: {
        /**
         * URL of the repository.
         */
        git?: string;
        /**
         * The exact commit, forty digits.
         */
        commit?: string;
        /**
         * Branch that the commit is on, for people and for kas.
         */
        branch?: string;
        /**
         * A folder of this machine instead of a repository, from the project's folder. It is taken as it is.
         */
        path?: string;
        /**
         * Layers inside, in order. Default: the top folder.
         */
        folders?: string[];
      };
    };
    /**
     * Layers of every machine, by name, in the order of BBLAYERS; a machine adds its own.
     */
    use?: string[];
    /**
     * Variables of local.conf: name (with an override or :append where wanted) → value.
     */
    settings?: {
      [k: string]: string;
    };
    /**
     * Shared state beyond this machine. `osbuild sstate serve` runs the servers and prints these lines.
     */
    sstate?: {
      /**
       * Where finished tasks are taken from (SSTATE_MIRRORS), in order: a web server, a bucket (s3://bucket/prefix), or a folder that many mount (file:///srv/sstate). Without credentials; those of a bucket are taken from AWS_ACCESS_KEY_ID and its like in the environment.
       */
      mirrors?: string[];
      /**
       * Address of an S3-compatible server that is not Amazon's, for mirrors that start with s3://.
       */
      s3Endpoint?: string;
      /**
       * Hash equivalence server that is asked and told (BB_HASHSERVE), host:port. A mirror without the server that its builds told finds almost nothing.
       */
      hashServer?: string;
      /**
       * Hash equivalence server that is only asked (BB_HASHSERVE_UPSTREAM); a server of this build's own keeps what it learns. Instead of hashServer.
       */
      upstreamHashServer?: string;
      /**
       * Server that counts packages' revisions (PRSERV_HOST), host:port.
       */
      prServer?: string;
      /**
       * OpenPGP signatures beside what is in shared state.
       */
      signatures?: {
        /**
         * Sign with this key of gpg's keyring (SSTATE_SIG_KEY); it must have no passphrase. openembedded-core signs only where verify is on.
         */
        key?: string;
        /**
         * Take nothing that is not signed (SSTATE_VERIFY_SIG), own results included.
         */
        verify?: boolean;
        /**
         * Long ids (16 digits) of the keys that count; default: every key of the keyring.
         */
        trusted?: string[];
        /**
         * Folder of gpg (GPG_PATH), absolute. bitbake's home is not yours, so that yours has to be named.
         */
        keyring?: string;
      };
    };
  };
  config?: DeviceConfig;
  /**
   * The files that machines name by address.
   */
  files?: {
    /**
     * Where such files lie under their SHA-256, folders or URLs, asked in this order before a file's own address: for work without a network, and for makers that vanish.
     */
    mirrors: string[];
  };
  /**
   * A server that shares results between machines (HTTP protocol of bazel-remote; any web server that takes PUT will do). OSBUILD_REMOTE_CACHE, OSBUILD_REMOTE_CACHE_PUSH and OSBUILD_REMOTE_CACHE_TOKEN of the environment override it; credentials belong there, not here.
   */
  remoteCache?: {
    /**
     * Address with its path, without credentials.
     */
    url: string;
    /**
     * Store results of this machine on the server. Whoever may store there decides what others flash: let only CI do it.
     */
    push?: boolean;
  };
  /**
   * Hosts that `osbuild image --on <name>` builds on, over SSH.
   */
  remoteBuilders?: {
    [k: string]: {
      /**
       * Name or address. Its key must be in ~/.ssh/known_hosts.
       */
      host: string;
      port?: number;
      /**
       * Default: the name of the caller.
       */
      user?: string;
      /**
       * File of the private key; `~/` is the caller's home. Default: an SSH agent's keys, and ~/.ssh/id_ed25519, id_ecdsa and id_rsa.
       */
      identity?: string;
      /**
       * Cache folder on that host. Default: that of its user.
       */
      cache?: string;
    };
  };
  /**
   * Whether the headers of the kernel are written beside each image, for modules that are compiled in containers.
   */
  kernelHeaders?: boolean;
  /**
   * Applications that are in the image from the start: their images on the data partition, and the compose file that starts them.
   */
  preload?: {
    /**
     * The compose file, from the project's folder. `osbuild image --preload FILE` names another one.
     */
    compose: string;
    /**
     * Archives of images (`docker save`, OCI image layouts; not compressed), from the project's folder: what they name is taken from them, and from registries what they do not.
     */
    archives?: string[];
    /**
     * Registries may be without TLS. Those on this very host may be so anyway.
     */
    insecure?: boolean;
  };
  /**
   * Releases that devices are updated with.
   */
  updates?: {
    /**
     * Private keys (PEM files, from the project's folder) that sign every release. `osbuild key new` makes one, and the recipe by which devices trust it.
     */
    signWith?: string[];
  };
  /**
   * Signs what the firmware of UEFI machines starts: the boot loader, and a unified kernel that has initrd, command lines and the root's hash inside. Other machines are built as without. `osbuild key secure-boot` makes the keys.
   */
  secureBoot?: {
    /**
     * Private key (PEM file, from the project's folder), RSA. It goes nowhere: neither into images nor into the cache.
     */
    key: string;
    /**
     * Its certificate (PEM file), which the firmware has to have in db.
     */
    certificate: string;
    /**
     * Folder with PK.auth, KEK.auth and db.auth, which stand on the boot partition then for a firmware without keys (setup mode). systemd-boot gives them to it by itself in virtual machines; loader.conf says otherwise.
     */
    enroll?: string;
  };
  /**
   * SOURCE_DATE_EPOCH of everything built, in seconds.
   */
  epoch?: number;
}
