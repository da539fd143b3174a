# A slot that is damaged. One on trial is left by starting again: the loader has counted. One that was kept would be
# started for ever, so the other slot is taken where it is whole, by the loader's own word: kernel and root belong
# together. Where there is none to go to, this one is mounted as it is, as if there were no tree: some of it can be read.
# With minke.strict, which a signed command line has (src/secure-boot), no root is mounted unchecked: then nothing starts.

# $1 partition, $2 slot. Mounts the root, and leaves word of how in /run/minke.
mount_root() {
  parameters=$(kernel_parameter minke.verity)
  if [ -n "$parameters" ]; then
    if mount_checked_root "$1" "$parameters"; then
      echo mapper/minke-root >/run/minke/root
      return
    fi
    kernel_word minke.trial && die "slot $2, which is on trial, cannot be read as it was written"
    warn "slot $2 is damaged: something of it is not as it was written"
    echo "$1" >/run/minke/root-damaged
    leave_slot "$2" "$boot"
    kernel_word minke.strict && die "slot $2 is damaged, and there is no other slot that is whole"
    warn "there is no other slot that is whole: starting slot $2 without checking it"
  fi
  kernel_word minke.strict && die "nothing says how the root of slot $2 is checked, and no other one is started here"
  mount -t "$root_type" -o ro "${dev:-/dev}/$1" "$root" || die "cannot mount the root of slot $2 ($1)"
  echo "$1" >/run/minke/root
}

# $1 slot, $2 boot partition. Has the loader take the other slot, and starts again; comes back where that cannot be.
leave_slot() {
  case $1 in A) other=B ;; *) other=A ;; esac
  folder=/run/minke/boot
  mkdir -p $folder
  mount_fat ro,umask=0077 "/dev/$2" $folder || return 0
  if other_is_whole $folder $other && mount -o remount,rw $folder && put $folder minke/damaged "$1" && choose_slot $folder $other; then
    umount $folder
    warn "starting slot $other, which is whole"
    sync
    reboot -f
  fi
  umount $folder
}

# $1 folder of the boot partition, $2 slot
other_is_whole() {
  # It was left in the same way, and not written since.
  [ "$(cat "$1/minke/damaged" 2>/dev/null)" = "$2" ] && return 1
  given=$(verity_of_slot "$1" "$2") || return 1
  partition=$(partition_of_disk "$disk" "$(partition_of_slot "$2")") || return 1
  say "reading all of slot $2"
  map_verity minke-other "$partition" "$given" || return 1
  reads_whole "${dev:-/dev}/mapper/minke-other"
  whole=$?
  minke-verity unmap minke-other || warn "slot $2 stays mapped"
  return $whole
}

# $1 folder of the boot partition, $2 slot → parameters of its tree. Fails for a slot that must not be started: one that
# was being written, was tried in vain, or is of a release without a tree (src/engine/os/systemd-boot.ts, u-boot.ts).
verity_of_slot() {
  if [ -e "$1/loader/loader.conf" ]; then
    entry=$1/loader/entries/minke-$(echo "$2" | tr AB ab).conf
  else
    grep -q "^try=$2\$" "$1/minke/try.env" 2>/dev/null && return 1
    entry=$1/$2/verity.env
  fi
  [ -r "$entry" ] && [ -e "$1/$2/kernel" ] || return 1
  # A unified kernel has its initrd inside, and its entry chooses one of its command lines. A firmware that refuses another one stands still.
  grep -q '^options  *@' "$entry" || { [ -e "$1/$2/initrd" ] && ! secure_boot; } || return 1
  found=$(tr ' ' '\n' <"$entry" | sed -n 's/^\(os_verity=\)\{0,1\}minke\.verity=//p' | tail -n 1)
  [ -n "$found" ] && echo "$found"
}

# Whether the firmware starts signed programs alone. Its variable: four bytes of attributes, then 1.
secure_boot() {
  enforced=$(tail -c 1 "${sys:-/sys}/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c" 2>/dev/null | od -An -tu1 | tr -d ' ')
  [ "$enforced" = 1 ]
}

# $1 folder of the boot partition, $2 slot. As the engine keeps a slot: the entry of systemd-boot with the highest version
# is taken, or the slot that minke/slot.env names.
choose_slot() {
  if [ -e "$1/loader/loader.conf" ]; then
    entry=loader/entries/minke-$(echo "$2" | tr AB ab).conf
    newest=$(sed -n 's/^version  *\([0-9][0-9]*\) *$/\1/p' "$1"/loader/entries/minke-*.conf | sort -n | tail -n 1)
    put "$1" "$entry" "$(sed "s/^\(version  *\)[0-9][0-9]* *\$/\1$((newest + 1))/" "$1/$entry")"
  else
    put "$1" minke/slot.env "slot=$2"
  fi
}

# $1 folder of the boot partition, $2 file, $3 text. Written aside and renamed, so that a power cut leaves the old or the new.
put() {
  mkdir -p "$(dirname "$1/$2")" && printf '%s\n' "$3" >"$1/$2.new" && sync "$1/$2.new" && mv "$1/$2.new" "$1/$2" && sync -f "$1"
}
