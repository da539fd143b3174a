# Messages. They go through the kernel's log, so that they reach every console and later the journal.

say() { echo "<5>minke: $*" >/dev/kmsg; }

warn() { echo "<4>minke: $*" >/dev/kmsg; }

# Recipes that put something else on the screen than text take it away here.
show_text() { :; }

# Nothing can be done here without a person, and there is none: say it where it can be seen and start again, since the
# cause may be gone (a slow disk) and the boot loader may then choose the other slot.
die() {
  show_text
  echo "<2>minke: cannot start: $*" >/dev/kmsg
  printf '\n\nMinke OS cannot start: %s\nStarting again in %s seconds.\n' "$*" "$restart_delay" >/dev/console
  sync
  sleep "$restart_delay"
  reboot -f
  # Process 1 that ends makes the kernel panic, and that restarts too (panic= on its command line).
  exit 1
}

# $1 name → its value on the kernel command line, the last one if there are several; empty when it is not there
kernel_parameter() {
  sed 's/ /\n/g' "${proc:-/proc}/cmdline" | sed -n "s/^$1=//p" | tail -n 1
}

# $1 word → whether it stands on the kernel command line by itself
kernel_word() {
  case " $(cat "${proc:-/proc}/cmdline") " in *" $1 "*) return 0 ;; esac
  return 1
}
