# Finding the disk: the one that the boot loader read this initrd from, and its partitions by number. `$sys` stands in
# for /sys in tests.

# $1 slot letter → partition number
partition_of_slot() {
  case $1 in
    A) echo "$root_a_partition" ;;
    B) echo "$root_b_partition" ;;
    *) return 1 ;;
  esac
}

# First partitions of all disks.
first_partitions() {
  for entry in "${sys:-/sys}"/class/block/*; do
    [ "$(cat "$entry/partition" 2>/dev/null)" = 1 ] && echo "${entry##*/}"
  done
}

# $1 PARTUUID of a boot partition → name of its device, such as mmcblk0p1. Kernels before 6.13 do not tell PARTUUIDs, so
# they are read from the tables.
device_of_partuuid() {
  for device in $(first_partitions); do
    [ "$(first_partuuid "${dev:-/dev}/$(disk_of_partition "$device")")" = "$1" ] && echo "$device" && return
  done
  return 1
}

# Name of the disk that a partition is on: sysfs nests the partition's folder in the disk's.
disk_of_partition() {
  basename "$(dirname "$(readlink -f "${sys:-/sys}/class/block/$1")")"
}

# $1 disk, $2 partition number → name of its block device
partition_of_disk() {
  for entry in "${sys:-/sys}/class/block/$1/$1"*; do
    [ "$(cat "$entry/partition" 2>/dev/null)" = "$2" ] && basename "$entry" && return
  done
  return 1
}

# PARTUUID of the boot partition as the loader tells it: on the command line, or by systemd-boot in an EFI variable
# (four bytes of attributes, then UTF-16, in capitals).
loader_partuuid() {
  given=$(kernel_parameter minke.boot)
  case $given in
    PARTUUID=?*) echo "${given#PARTUUID=}" | tr A-F a-f && return ;;
  esac
  firmware=${sys:-/sys}/firmware/efi
  [ -d "$firmware" ] || return 1
  mount -t efivarfs -o ro,nosuid,nodev,noexec efivarfs "$firmware/efivars" 2>/dev/null
  variable=$firmware/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
  [ -r "$variable" ] && tail -c +5 "$variable" | tr -d '\000' | tr A-F a-f
}

# First partitions whose FAT (of 32 bits) carries our label, filled up with blanks.
labelled_partitions() {
  for device in $(first_partitions); do
    [ "$(dd if="${dev:-/dev}/$device" bs=1 skip=71 count=11 2>/dev/null)" = "$(printf '%-11s' "${boot_label:-MINKE-BOOT}")" ] && echo "$device"
  done
}

# $1 seconds waited. By the loader's word; without one, or when its disk does not come, by the label, as long as no
# second disk has it too.
find_boot_partition() {
  if [ -n "$loader_partuuid" ]; then
    device_of_partuuid "$loader_partuuid" && return
    [ "$1" -ge 10 ] || return 1
  fi
  found=$(labelled_partitions)
  [ "$(echo "$found" | wc -w)" = 1 ] && echo "$found"
}

# Whole seconds since the kernel started.
uptime_seconds() {
  read -r seconds _ </proc/uptime
  echo "${seconds%.*}"
}

# A disk may take its time (USB: several seconds), so drivers are loaded as buses find devices; after 60 s there is none.
# What loading them takes, on a slow board many seconds, counts as no time waited.
wait_for_boot_partition() {
  loader_partuuid=$(loader_partuuid) || warn "the boot loader does not tell which disk it used"
  start=$(uptime_seconds)
  since=$start
  all=
  while [ $(($(uptime_seconds) - start)) -lt 60 ]; do
    load_for_hardware && since=$(uptime_seconds)
    waited=$(($(uptime_seconds) - since))
    find_boot_partition "$waited" && return
    if [ "$waited" -ge 8 ] && [ -z "$all" ]; then
      all=1
      warn "no disk after 8 seconds: loading every driver there is"
      load_all_drivers
    fi
    sleep 0.2
  done
  return 1
}

# $1 disk, $2 partition number. After a new table the kernel may need a moment to make the devices again.
wait_for_partition() {
  start=$(uptime_seconds)
  while [ $(($(uptime_seconds) - start)) -lt 10 ]; do
    partition_of_disk "$1" "$2" && return
    sleep 0.1
  done
  return 1
}
