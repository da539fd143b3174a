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

# $1 PARTUUID → name of the block device, such as mmcblk0p1
device_of_partuuid() {
  for event in "${sys:-/sys}"/class/block/*/uevent; do
    grep -qix "PARTUUID=$1" "$event" 2>/dev/null && sed -n 's/^DEVNAME=//p' "$event" && return
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
# (four bytes of attributes, then UTF-16).
loader_partuuid() {
  given=$(kernel_parameter minke.boot)
  case $given in
    PARTUUID=?*) echo "${given#PARTUUID=}" && return ;;
  esac
  [ -d /sys/firmware/efi ] || return 1
  mount -t efivarfs -o ro,nosuid,nodev,noexec efivarfs /sys/firmware/efi/efivars 2>/dev/null
  variable=/sys/firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
  [ -r $variable ] && tail -c +5 $variable | tr -d '\000'
}

# The first partitions whose FAT (32 bits) carries our label.
labelled_boot_partitions() {
  for entry in "${sys:-/sys}"/class/block/*; do
    [ "$(cat "$entry/partition" 2>/dev/null)" = 1 ] || continue
    [ "$(dd if="${dev:-/dev}/${entry##*/}" bs=1 skip=71 count=10 2>/dev/null)" = MINKE-BOOT ] && echo "${entry##*/}"
  done
}

# $1 tenths of a second waited. By the loader's word; without one, or where the kernel does not tell PARTUUIDs (before
# 6.9), by the label, as long as no second disk has it too.
find_boot_partition() {
  if [ -n "$loader_partuuid" ]; then
    device_of_partuuid "$loader_partuuid" && return
    [ "$1" -gt 50 ] || return 1
  fi
  found=$(labelled_boot_partitions)
  [ "$(echo "$found" | wc -w)" = 1 ] && echo "$found"
}

# A disk may take its time (USB: several seconds). Tenths of a second are counted; modules are loaded meanwhile.
wait_for_boot_partition() {
  loader_partuuid=$(loader_partuuid) || warn "the boot loader does not tell which disk it used"
  try=0
  while [ $try -lt 600 ]; do
    if [ $try = 50 ]; then
      warn "no disk after 5 seconds: loading every driver there is"
      load_all_drivers
    fi
    load_for_hardware
    find_boot_partition $try && return
    sleep 0.1
    try=$((try + 1))
  done
  return 1
}

# $1 disk, $2 partition number. After a new table the kernel may need a moment to make the devices again.
wait_for_partition() {
  try=0
  while [ $try -lt 100 ]; do
    partition_of_disk "$1" "$2" && return
    sleep 0.1
    try=$((try + 1))
  done
  return 1
}
