# Choosing the disk that is written: one that the machine's description calls the board's own, or the one that the owner
# named. `$sys` stands in for /sys in tests.

# $1 name → its value in flasher.conf, without blanks and carriage returns; empty when it is not there
setting() {
  tr -d '\r' 2>/dev/null <"${settings:-/run/medium/flasher.conf}" | sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" | sed 's/[[:space:]]*$//' | tail -n 1
}

# Path of a disk below /sys.
disk_path() {
  path=$(readlink -f "${sys:-/sys}/class/block/$1")
  echo "${path#"${sys:-/sys}"}"
}

attribute() { cat "${sys:-/sys}/class/block/$1/$2" 2>/dev/null; }

# Disks that hardware stands behind: no partitions, no boot areas of an eMMC, no optical or floppy drives, none without a medium.
all_disks() {
  for entry in "${sys:-/sys}"/class/block/*; do
    name=${entry##*/}
    case $name in mmcblk*boot[0-9] | mmcblk*rpmb | sr[0-9]* | fd[0-9]* | nbd[0-9]*) continue ;; esac
    [ -e "$entry/device" ] && [ ! -e "$entry/partition" ] || continue
    [ "$(attribute "$name" hidden)" = 1 ] && continue
    [ "$(attribute "$name" size)" != 0 ] && echo "$name"
  done
}

# $1 disk, $2 pattern: with a slash for the path, otherwise for the name
matches() {
  case $2 in
    */*) subject=$(disk_path "$1") ;;
    *) subject=$1 ;;
  esac
  # shellcheck disable=SC2254
  case $subject in $2) return 0 ;; esac
  return 1
}

# What people put in and take out: it holds something of theirs.
is_exchangeable() {
  case $(disk_path "$1") in */usb[0-9]*) return 0 ;; esac
  [ "$(attribute "$1" device/type)" = SD ] || [ "$(attribute "$1" removable)" = 1 ]
}

# The disk that this runs from, and any copy of it.
is_medium() {
  [ "$1" = "$medium" ] && return
  [ -n "$loader_partuuid" ] && [ "$(first_partuuid "${dev:-/dev}/$1")" = "$loader_partuuid" ]
}

is_own() {
  is_exchangeable "$1" && return 1
  set -f
  for pattern in $flasher_disks; do
    matches "$1" "$pattern" && set +f && return
  done
  set +f
  return 1
}

# $1 what the owner named, or nothing
candidates() {
  for disk in $(all_disks); do
    is_medium "$disk" && continue
    if [ -n "$1" ]; then matches "$disk" "$1"; else is_own "$disk"; fi && echo "$disk"
  done
}

describe_disk() {
  model=$({ attribute "$1" device/model || attribute "$1" device/name; } | sed 's/ *$//')
  echo "$1: $(($(attribute "$1" size) / 2048)) MiB${model:+, $model}, $(disk_path "$1")"
}

# Disks take their time to show up, each its own: they count when none has come for five seconds.
wait_for_candidates() {
  start=$(uptime_seconds)
  since=$start
  found=
  all=
  while [ $(($(uptime_seconds) - start)) -lt 60 ]; do
    load_for_hardware
    now=$(candidates "$1")
    [ "$now" = "$found" ] || since=$(uptime_seconds)
    found=$now
    [ -n "$found" ] && [ $(($(uptime_seconds) - since)) -ge 5 ] && break
    if [ -z "$all" ] && [ $(($(uptime_seconds) - start)) -ge 8 ]; then
      all=1
      load_all_drivers
    fi
    sleep 0.5
  done
  echo "$found"
}

# Sets `target`.
choose_target() {
  loader_partuuid=$(loader_partuuid)
  wanted=$(setting disk)
  # shellcheck disable=SC2046
  set -- $(wait_for_candidates "$wanted")
  [ $# = 1 ] && target=$1 && return
  say "started from $(describe_disk "$medium")"
  for disk in $(all_disks); do
    is_medium "$disk" || say "there is $(describe_disk "$disk")"
  done
  [ $# = 0 ] && [ -n "$wanted" ] && die "no disk is '$wanted', as flasher.conf of the medium says"
  [ $# = 0 ] && die "found none of the disks that $machine has on itself; to write another one, name it in flasher.conf of the medium (disk=...)"
  die "several disks can be written ($*): name one in flasher.conf of the medium, such as disk=$1"
}

check_target() {
  [ "$(attribute "$target" ro)" = 0 ] || die "$target is read-only"
  [ $(($(attribute "$target" size) / 8)) -ge "$(payload_number image_blocks)" ] ||
    die "$target is too small: it has $(($(attribute "$target" size) / 2048)) MiB, and the system needs $(($(payload_number image_blocks) / 256)) MiB"
  device=/dev/$target
  say "writing Minke OS to $(describe_disk "$target")"
}
