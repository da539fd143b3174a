import { shellLine, shellWord } from './shell.ts';

/** A place of the host to be seen inside a sandbox. */
export interface Mount {
  /** Absolute path on the host: a file or a folder. */
  path: string;
  rw: boolean;
}

export interface SandboxOptions {
  /** The tools tree: a root whose top-level folders are seen read-only. */
  tree: string;
  /** Entries of the tree's top level; links are made again, folders are bound. */
  topLevel: TopLevelEntry[];
  /** Empty folder of the host on which the sandbox's root is put together, seen by this process alone. */
  root: string;
  /** Absolute path inside → place of the host. */
  mounts: Record<string, Mount>;
  /** All of the environment inside. */
  env: Record<string, string>;
  argv: string[];
  cwd: string;
  /** Whether the host's network is seen; otherwise there is only an unconfigured loopback. */
  network: boolean;
}

export interface TopLevelEntry {
  name: string;
  /** Target of a symbolic link, or null for a folder. */
  link: string | null;
}

/**
 * The shell script that puts a sandbox together and runs a command in it. It is run by `unshare` (util-linux) in fresh
 * user, mount, pid, ipc and network namespaces: it needs no privileges beyond user namespaces, leaves nothing behind
 * when it is killed, and inside everything is owned by root because the caller is mapped to it. Saved beside the log, it
 * is also what a person runs to see a failure again.
 */
export function sandboxScript(options: SandboxOptions): string {
  const root = shellWord(options.root);
  const lines = [
    'set -e',
    `R=${root}`,
    // Inside a user namespace a bind mount must keep the restrictions of the filesystem that it comes from.
    'ro() { for o in "" ,nosuid,nodev ,nosuid,nodev,noexec; do mount -o "remount,bind,ro$o" "$1" 2>/dev/null && return; done; echo "cannot make $1 read-only" >&2; return 1; }',
    'mkdir -p "$R"',
    'mount -t tmpfs -o mode=0755 sandbox "$R"',
    ...options.topLevel.flatMap((entry) => topLevelLines(options.tree, entry)),
    'mkdir -p "$R/proc" "$R/dev" "$R/tmp" "$R/in" "$R/out"',
    // A container may forbid a fresh proc; the host's serves as well, only with more processes in it.
    'mount -t proc proc "$R/proc" 2>/dev/null || mount --rbind /proc "$R/proc"',
    'for d in null zero full random urandom tty; do : > "$R/dev/$d"; mount --bind "/dev/$d" "$R/dev/$d"; done',
    'mkdir "$R/dev/pts" "$R/dev/shm"; ln -s pts/ptmx "$R/dev/ptmx"; ln -s /proc/self/fd "$R/dev/fd"',
    'mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$R/dev/pts" 2>/dev/null || mount --rbind /dev/pts "$R/dev/pts"',
    'chmod 1777 "$R/dev/shm" "$R/tmp"',
    ...Object.entries(options.mounts).flatMap(([inside, mount]) => mountLines(inside, mount)),
  ];
  const environment = Object.entries(options.env).map(([name, value]) => `${name}=${value}`);
  const inner = ['/bin/sh', '-c', 'cd "$0" && exec "$@"', options.cwd, ...options.argv];
  lines.push(`exec chroot "$R" ${shellLine(['/usr/bin/env', '-i', ...environment, ...inner])}`);
  return `${lines.join('\n')}\n`;
}

/** The command that runs a sandbox script saved at `script`. */
export function sandboxCommand(script: string, network: boolean): string[] {
  const namespaces = ['--user', '--map-root-user', '--mount', '--pid', '--ipc', '--uts', ...(network ? [] : ['--net'])];
  return ['unshare', ...namespaces, '--fork', '--kill-child', '--propagation', 'private', '--', 'sh', script];
}

function topLevelLines(tree: string, entry: TopLevelEntry): string[] {
  const target = `"$R"/${shellWord(entry.name)}`;
  if (entry.link !== null) return [`ln -s ${shellWord(entry.link)} ${target}`];
  return [`mkdir ${target}`, `mount --bind ${shellWord(`${tree}/${entry.name}`)} ${target}`, `ro ${target}`];
}

function mountLines(inside: string, mount: Mount): string[] {
  const target = `"$R"${shellWord(inside)}`;
  const source = shellWord(mount.path);
  const parent = `"$R"${shellWord(inside.slice(0, inside.lastIndexOf('/')) || '/')}`;
  const make = `mkdir -p ${parent}; if [ -d ${source} ]; then mkdir -p ${target}; else : > ${target}; fi`;
  const bind = `mount --bind ${source} ${target}`;
  return mount.rw ? [make, bind] : [make, bind, `ro ${target}`];
}
