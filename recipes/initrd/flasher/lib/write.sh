# Writing and reading back. The payload is what of the image is not empty, in two files: the content of the partitions,
# and what makes a disk startable (boot programs at fixed places, the table; the first sector last of all). A list for
# each says where its pieces go, which stand in it one after the other: `start count sha256`, in blocks of 4096 bytes.

# $1 name → a number that the build left
payload_number() { sed -n "s/^$1=\([0-9][0-9]*\)$/\1/p" "$payload/numbers"; }

# Before anything is destroyed for it.
check_payload() {
  say "checking the medium"
  (cd "$payload" && sha256sum -c SHA256SUMS) >"${run:-/run}/payload.log" 2>&1 || die "the medium is damaged ($(grep -v ': OK$' "${run:-/run}/payload.log" | head -n 1)): write it anew"
}

# The boot ROM, the firmware and every other system must not take the disk for one with something to start on it while it is
# half written: the table, what stands before the first partition, and the second copy that GPT keeps at the end.
wipe_ends() {
  sectors=$(sectors_of "$device")
  dd if=/dev/zero of="$device" bs=4096 count="$(payload_number first_block)" conv=notrunc,fsync 2>"${run:-/run}/dd.log" &&
    dd if=/dev/zero of="$device" bs=512 seek=$((sectors - 2048)) count=2048 conv=notrunc,fsync 2>"${run:-/run}/dd.log" ||
    die "cannot write to $device: $(tail -n 1 "${run:-/run}/dd.log")"
}

# $1 verb, $2 blocks done, $3 of all: a line for every twentieth
tell_progress() {
  percent=$(($2 * 100 / $3))
  [ $((percent / 5)) = "$told" ] && return
  told=$((percent / 5))
  if [ "$3" -lt 256 ]; then say "$1 $percent %"; else say "$1 $percent % ($(($2 / 256)) of $(($3 / 256)) MiB)"; fi
}

list_blocks() { awk '{ sum += $2 } END { print sum + 0 }' "$payload/$1.list"; }

# $1 content or table
write_pieces() {
  total=$(list_blocks "$1")
  written=0
  told=
  while read -r start count sum; do
    dd if="$payload/$1" of="$device" bs=4096 skip="$written" seek="$start" count="$count" conv=notrunc,fsync 2>"${run:-/run}/dd.log" ||
      die "cannot write to $device at $((start / 256)) MiB: $(tail -n 1 "${run:-/run}/dd.log")"
    grep -q "^$count+0 records in" "${run:-/run}/dd.log" || die "the medium cannot be read to its end: write it anew"
    written=$((written + count))
    tell_progress "writing $1:" "$written" "$total"
  done <"$payload/$1.list"
}

# $1 content or table. What the kernel still holds in memory is no proof: it is let go first.
verify_pieces() {
  forget_cached
  total=$(list_blocks "$1")
  checked=0
  told=
  while read -r start count sum; do
    found=$(dd if="$device" bs=4096 skip="$start" count="$count" 2>/dev/null | sha256sum)
    [ "${found%% *}" = "$sum" ] || die "$device does not hold what was written to it, at $((start / 256)) MiB: the disk is failing"
    checked=$((checked + count))
    tell_progress "verifying $1:" "$checked" "$total"
  done <"$payload/$1.list"
}

forget_cached() {
  sync
  blockdev --flushbufs "$device"
  echo 3 >"${proc:-/proc}/sys/vm/drop_caches"
}
