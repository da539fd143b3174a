# The owner's configuration goes along: what stands on the medium's own boot partition is put onto the one just written.

# $1 medium's folder, $2 folder of the new boot partition
copy_configuration() {
  for file in config.json extra_uEnv.txt; do
    [ -f "$1/$file" ] || continue
    cp "$1/$file" "$2/$file" || return 1
  done
  for file in "$1"/system-connections/*.nmconnection; do
    [ -f "$file" ] || continue
    mkdir -p "$2/system-connections" && cp "$file" "$2/system-connections/" || return 1
  done
}

# $1, $2 as above: whether each file is there, to the byte
same_configuration() {
  for file in "$1"/config.json "$1"/extra_uEnv.txt "$1"/system-connections/*.nmconnection; do
    [ -f "$file" ] || continue
    cmp -s "$file" "$2${file#"$1"}" || return 1
  done
}

mount_new_boot() { mount_fat "$1,umask=0077" /dev/loop0 /run/target; }

# The table is not written yet, so the partition is reached by its place.
carry_over() {
  say "taking the configuration over"
  losetup -o $(($(payload_number boot_block) * 4096)) /dev/loop0 "$device" && mount_new_boot rw || die "cannot mount the boot partition on $device"
  copy_configuration /run/medium /run/target || die "cannot copy the configuration to $device: is there more than it has room for?"
  umount /run/target || die "cannot write the configuration to $device"
  blockdev --flushbufs /dev/loop0
  forget_cached
  mount_new_boot ro && same_configuration /run/medium /run/target || die "$device does not hold the configuration that was written to it: the disk is failing"
  umount /run/target
  losetup -d /dev/loop0
}
