/** The user that bitbake believes to be when the caller is root, which it refuses to run as. */
const ordinaryUser = 1000;

/**
 * Runs a program as an ordinary user in a process namespace of its own: whatever it starts, a server in the background
 * too, ends with it, however it ends.
 */
export function contained(argv: readonly string[], uid: number): string[] {
  const user = uid === 0 ? ordinaryUser : uid;
  return ['unshare', '--user', `--map-user=${user}`, `--map-group=${user}`, '--pid', '--fork', '--kill-child', '--mount-proc', '--', ...argv];
}

export interface BitbakeFolders {
  bitbake: string;
  /** openembedded-core itself, above meta/; it has scripts/ that builds call. */
  core: string;
  build: string;
  home: string;
}

/** All of bitbake's environment. */
export function bitbakeEnvironment({ bitbake, core, build, home }: BitbakeFolders, host: Readonly<Record<string, string>>): Record<string, string> {
  const forFetchers = Object.fromEntries(Object.entries(host).filter(([name]) => /_proxy$|^AWS_/i.test(name)));
  return {
    ...forFetchers,
    PATH: `${bitbake}/bin:${core}/scripts:${host['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin'}`,
    HOME: home,
    // Tasks and the sanity check want this very locale.
    LANG: 'en_US.UTF-8',
    LC_ALL: 'en_US.UTF-8',
    TZ: 'UTC',
    BITBAKE_DIR: bitbake,
    BUILDDIR: build,
    BBPATH: build,
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    // Left to the environment this would decide what a build's results are named by.
    BB_SERVER_TIMEOUT: '0',
  };
}
