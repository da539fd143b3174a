# A failure stays in sight, on every console, until somebody comes: no restart, which would write the disk over and over,
# and no switching off, which looks like success. Takes the place of the system's own die.
die() {
  while :; do
    echo "<2>minke: flashing FAILED: $*" >/dev/kmsg
    echo "<2>minke: switch the board off, see to the cause and start the same medium again" >/dev/kmsg
    sleep "${repeat_seconds:-60}"
  done
}
