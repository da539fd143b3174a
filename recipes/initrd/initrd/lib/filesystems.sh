# File systems: checked before they are mounted, given identifiers of their own on first boot, grown to their partition.

# dosfsck's exit status: 0 clean, 1 repaired, 2 usage. A boot partition that cannot be repaired does not stop the boot:
# the kernel is loaded already, and the running system can still be told to write it again.
check_fat() {
  fsck.fat -a "/dev/$1" >/run/minke/fsck-boot.log 2>&1
  case $? in
    0) ;;
    1) warn "repaired the boot partition ($1)" ;;
    *) warn "cannot check the boot partition ($1): $(tail -n 1 /run/minke/fsck-boot.log)" ;;
  esac
}

# The volume id stands in the boot sector and in its copy, sector 6.
renew_fat_id() {
  [ "$(read_u32 "/dev/$1" 67)" = $((0x$boot_volume_id)) ] || return 0
  id=$(random_u32)
  write_u32 "/dev/$1" $((6 * 512 + 67)) "$id"
  write_u32 "/dev/$1" 67 "$id"
}

is_ext4() { [ "$(od -An -tx2 -j 1080 -N 2 "$1" | tr -d ' ')" = ef53 ]; }

ext4_uuid() { od -An -tx1 -j 1128 -N 16 "$1" | tr -d ' \n'; }

# e2fsck's exit status is a sum: 1 repaired, 2 repaired and should restart, 4 errors left.
check_ext4() {
  e2fsck -p "$1" >"/run/minke/fsck-$2.log" 2>&1
  [ $? -lt 4 ] && return
  warn "$2 partition: $(tail -n 1 "/run/minke/fsck-$2.log"); repairing all of it"
  e2fsck -y -f "$1" >"/run/minke/fsck-$2.log" 2>&1
  [ $? -lt 4 ]
}

# By its path: busybox has one of that name, which knows no ext4.
make_ext4() { /usr/sbin/mke2fs -q -F -t ext4 -b 4096 -L "minke-$2" "$1"; }

# $1 device, $2 state or data, $3 where the boot partition is mounted. A file reset-state or reset-data on it empties that partition.
# It goes when that is done: a power cut before has it done again. Some editors add .txt to every name.
reset_where_asked() {
  for marker in "$3/reset-$2" "$3/reset-$2.txt"; do
    [ -e "$marker" ] || continue
    warn "$2 partition: made empty, as $(basename "$marker") on the boot partition asks"
    make_ext4 "$1" "$2" || warn "$2 partition could not be made empty"
    sync
    mount -o remount,rw "$3" && rm -f "$marker" && sync
    mount -o remount,ro "$3"
  done
}

# $1 device, $2 state or data. Never makes a new file system over one that may hold something: a superblock that is gone
# is first looked for in its copies.
repair_or_make() {
  if ! is_ext4 "$1"; then
    e2fsck -y -f -b 32768 -B 4096 "$1" >"/run/minke/fsck-$2.log" 2>&1
    if is_ext4 "$1"; then
      warn "$2 partition: superblock restored from its copy"
    elif [ -z "$(dd if="$1" bs=64k count=16 2>/dev/null | tr -d '\000' | head -c 1)" ]; then
      warn "$2 partition is blank: making its file system"
      make_ext4 "$1" "$2" || return 1
    else
      return 1
    fi
  fi
  check_ext4 "$1" "$2"
}

# $1 device name, $2 state or data, $3 factory UUID. A partition that cannot be used is replaced by memory for this boot:
# then the network and remote access still come up, and somebody can look at it.
mount_writable() {
  reset_where_asked "/dev/$1" "$2" "$root/mnt/boot"
  if repair_or_make "/dev/$1" "$2"; then
    if [ "$(ext4_uuid "/dev/$1")" = "$(echo "$3" | tr -d -)" ]; then
      tune2fs -U random "/dev/$1" >/dev/null 2>&1 || warn "$2 partition keeps the identifier it came with"
    fi
    mount -t ext4 -o noatime,errors=remount-ro "/dev/$1" "$root/mnt/$2" && return
  fi
  warn "$2 partition ($1) cannot be used: its contents are left alone, and everything written there is lost at the next boot"
  echo "$1" >"/run/minke/$2-failed"
  mount -t tmpfs -o nosuid,nodev,mode=0755,size=25% tmpfs "$root/mnt/$2" || die "cannot mount anything for the $2 partition"
}

# Growing while mounted goes through the journal, so that a power cut leaves the old size or the new one.
grow_filesystem() {
  [ -e /run/minke/data-failed ] && return
  blocks=$(od -An -tu4 -j 1028 -N 4 "/dev/$1" | tr -d ' ')
  size=$(cat "/sys/class/block/$1/size")
  [ $((size / 8 - blocks)) -gt 1024 ] || return 0
  resize2fs "/dev/$1" >/run/minke/resize.log 2>&1 || warn "cannot grow the data partition: $(tail -n 1 /run/minke/resize.log)"
  keep_for_linux "$1" $((size / 8))
}

# $1 device name, $2 its blocks. ext4 keeps a fiftieth of them back, at most 4096 (fs/ext4/super.c, ext4_set_resv_clusters), and reckons only when it is mounted. With what
# it kept when it was small it could be filled so far that after the next start nothing can be written any more.
keep_for_linux() {
  keep=$(($2 / 50))
  [ $keep -gt 4096 ] && keep=4096
  echo $keep >"${sys:-/sys}/fs/ext4/$1/reserved_clusters" || warn "$1: what ext4 keeps for itself stays as it was before it grew"
}
