# The partition table: on first boot the data partition grows to the end of the disk and the disk gets identifiers of
# its own, so that two flashed disks in one machine are told apart. All functions work on image files too (tests do).

# Less than this is not worth writing the table for.
grow_threshold_sectors=16384

sectors_of() {
  if [ -b "$1" ]; then blockdev --getsz "$1"; else echo $(($(stat -c %s "$1") / 512)); fi
}

# $1 file, $2 offset → little-endian 32-bit number there (all our machines are little-endian). dd seeks to the sector;
# od would read everything before it, which takes minutes on an SD card.
read_u32() { dd if="$1" bs=512 skip=$(($2 / 512)) count=1 2>/dev/null | od -An -tu4 -j $(($2 % 512)) -N 4 | tr -d ' '; }

# $1 file, $2 offset, $3 number. Four bytes of one sector: written whole or not at all.
write_u32() {
  printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $(($3 & 255)) $(($3 >> 8 & 255)) $(($3 >> 16 & 255)) $(($3 >> 24 & 255)))" |
    dd of="$1" bs=1 seek="$2" conv=notrunc,fsync 2>/dev/null
}

random_u32() { od -An -tu4 -N 4 /dev/urandom | tr -d ' '; }

# $1 disk → PARTUUID of its first partition, as the kernel and boot loaders write it: the GUID of GPT's first entry (the
# first three fields are little-endian), or the MBR's signature and the number.
first_partuuid() {
  if is_gpt "$1"; then
    set -- $(od -An -tx1 -j 1040 -N 16 "$1")
    echo "$4$3$2$1-$6$5-$8$7-$9${10}-${11}${12}${13}${14}${15}${16}"
  else
    printf '%08x-01\n' "$(read_u32 "$1" 440)"
  fi
}

is_gpt() { [ "$(dd if="$1" bs=1 skip=512 count=8 2>/dev/null)" = 'EFI PART' ]; }

# $1 disk as a device name
settle_table() {
  changed=
  if is_gpt "/dev/$1" || [ "$table" = gpt ]; then
    settle_gpt "/dev/$1"
  else
    settle_mbr "/dev/$1"
  fi
  [ -n "$changed" ] || return 0
  say "partition table: $changed"
  blockdev --rereadpt "/dev/$1" || warn "the kernel keeps the old partition table of $1 until the next boot"
}

# sfdisk writes the backup before the primary, and either is enough for the next boot (`gpt` on the kernel command line).
# It also moves the backup to the end of the disk, and mends a primary that a power cut damaged.
settle_gpt() {
  dump=$(sfdisk --dump "$1" 2>"${run:-/run}/sfdisk.log") || { warn "cannot read the partition table of $1"; return 0; }
  data_end=$(echo "$dump" | sed -n "s/^[^ ]*[^0-9]$data_partition : start= *\([0-9]*\), size= *\([0-9]*\),.*/\1 \2/p" | awk '{ print $1 + $2 }')
  [ -n "$data_end" ] || return 0
  free=$(($(sectors_of "$1") - 34 - data_end))
  fresh=
  case $dump in *"$disk_id"*) fresh=1 changed='new identifiers' ;; esac
  [ "$free" -gt $grow_threshold_sectors ] && changed="${changed:+$changed, }data grows by $((free / 2048)) MiB"
  grep -q corrupt "${run:-/run}/sfdisk.log" && changed="${changed:+$changed, }repaired from its copy"
  [ -n "$changed" ] || return 0
  # Without a size the partition takes all there is; without identifiers sfdisk makes random ones.
  echo "$dump" | sed -e '/^last-lba:/d' -e '/^device:/d' \
    -e "s/^\([^ ]*[^0-9]$data_partition : start= *[0-9]*\), size= *[0-9]*/\1/" \
    ${fresh:+-e '/^label-id:/d' -e 's/ uuid=[^,]*,//'} |
    sfdisk --quiet --no-reread --no-tell-kernel --wipe never --wipe-partitions never "$1" >>"${run:-/run}/sfdisk.log" 2>&1 ||
    warn "cannot write the partition table of $1"
}

# Three numbers, from the outside in: the extended partition, the link to the data partition's own record, and that
# record. Each is one write to one sector, and each state in between is a valid table.
settle_mbr() {
  extended=$(read_u32 "$1" 502)
  link=$(read_u32 "$1" $((extended * 512 + 470)))
  record=$((extended + link))
  start=$((record + $(read_u32 "$1" $((record * 512 + 454)))))
  size=$(read_u32 "$1" $((record * 512 + 458)))
  end=$(sectors_of "$1")
  [ "$end" -gt 4294967295 ] && end=4294967295
  free=$((end - start - size))
  if [ "$free" -gt $grow_threshold_sectors ]; then
    changed="data grows by $((free / 2048)) MiB"
    write_u32 "$1" 506 $((end - extended))
    write_u32 "$1" $((extended * 512 + 474)) $((end - record))
    write_u32 "$1" $((record * 512 + 458)) $((end - start))
  fi
  if [ "$(read_u32 "$1" 440)" = $((0x$disk_id)) ]; then
    changed="${changed:+$changed, }new identifiers"
    write_u32 "$1" 440 "$(random_u32)"
  fi
}
