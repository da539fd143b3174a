# The root is read through dm-verity: each block is compared with the hash tree that stands behind the file system, and
# one that is not as it was is an error of reading. The loader tells the tree's parameters, for the slot that it starts:
# minke.verity=<root hash>:<salt>:<blocks>:<first block of the tree>. A slot of a release from before there was a tree
# has none, and is mounted as it is. `$dev` stands in for /dev in tests.

# Without these a slot that can be read at all does not get as far as being updated.
first_files='usr/sbin/init usr/lib/systemd/systemd usr/lib/systemd/libsystemd-*.so usr/lib/*/systemd/libsystemd-*.so usr/lib/*/libc.so.6 usr/lib/libc.so.6
  usr/bin/minke usr/bin/sh usr/lib/systemd/systemd-udevd'

# $1 name, $2 partition, $3 parameters. What is wrong goes to the kernel's log; the kernel adds a line of its own.
map_verity() {
  said=$(minke-verity map "$1" "${dev:-/dev}/$2" "$3" 2>&1) && return
  warn "$(echo "$said" | head -n 1)"
  return 1
}

# $1 device. Whether all of it can be read: every block is compared on the way.
reads_whole() { dd if="$1" of=/dev/null bs=1M 2>/dev/null; }

# $1 root. What a start reads next anyhow is read here, where another slot can still be taken: so it costs nothing.
reads_first() {
  for pattern in $first_files; do
    for file in "$1"/$pattern; do
      [ -f "$file" ] || continue
      cat "$file" >/dev/null 2>&1 || return 1
    done
  done
}

# $1 partition, $2 parameters. Leaves the root mounted, or nothing.
mount_checked_root() {
  map_verity minke-root "$1" "$2" || return 1
  if mount -t "$root_type" -o ro "${dev:-/dev}/mapper/minke-root" "$root" 2>/dev/null; then
    reads_first "$root" && return
    umount "$root"
  fi
  minke-verity unmap minke-root || warn "$1 stays mapped"
  return 1
}
