// A place where engines can run without touching the machine: mount, network and process namespaces, runtime folders of their own.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Runs the calling program again inside, and ends with its exit code. Hybrid cgroups are what crun refuses; the shell is process 1 and takes orphans. */
export function enterNamespaces() {
  if (process.env.ENGINES_INSIDE !== undefined) return;
  const setUp = 'umount /sys/fs/cgroup/unified 2>/dev/null; mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /dev/shm; mkdir -p /run/lock; ip link set lo up; "$@"; exit $?';
  const inside = spawnSync('unshare', ['-m', '-n', '-p', '-f', '--mount-proc', '--propagation', 'private', 'sh', '-c', setUp, 'sh', process.execPath, ...process.argv.slice(1)], { stdio: 'inherit', env: { ...process.env, ENGINES_INSIDE: '1' } });
  process.exit(inside.status ?? 1);
}

/** A tar of busybox with all its applets. */
export function makeRootfs(folder) {
  const script = 'mkdir -p root/bin root/etc root/proc root/sys root/dev root/tmp; cp "$(command -v busybox)" root/bin/busybox; for name in $(root/bin/busybox --list); do [ "$name" = busybox ] || ln -s busybox "root/bin/$name"; done; echo root:x:0:0:root:/:/bin/sh > root/etc/passwd; tar -C root -cf rootfs.tar .; rm -rf root';
  const made = spawnSync('sh', ['-ec', script], { cwd: folder, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr);
  return join(folder, 'rootfs.tar');
}
