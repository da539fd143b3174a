# Kernel modules. The build left two lists: what every boot needs (file systems), and drivers of disks and of what they
# hang on, which are loaded when the hardware asks for them, or all of them when the disk does not show up.

lists=/usr/lib/minke/modules

# Files in an order in which they can be loaded. One by one, since some may refuse the processor that they find
# (crc32c-intel does); whether something is really missing shows a step later.
load_always() {
  folder=/usr/lib/modules/$(uname -r)
  while read -r file; do
    insmod "$folder/$file" 2>/dev/null
  done <$lists/always
}

load_all_drivers() { xargs modprobe -q -a <$lists/drivers 2>/dev/null; }

# Buses find devices, whose modules find more devices: called again until the disk is there. Fails when there is nothing
# that was not there the last time.
load_for_hardware() {
  find /sys/devices -name modalias -exec cat {} + 2>/dev/null | sort -u >/run/modalias
  cmp -s /run/modalias /run/modalias.before && return 1
  cp /run/modalias /run/modalias.before
  tr '\n' '\0' </run/modalias | xargs -0 modprobe -q -b -a 2>/dev/null
  return 0
}
