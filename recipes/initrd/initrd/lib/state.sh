# What the read-only root lets programs write: a list in the root (usr/lib/minke/state.list, made by the build from the
# recipes: `path mode owner partition`, owner in
# numbers, `-` for as in the image) says which paths live on the state or the data partition, or in memory.

# $1 root. One identity for the life of the device, made once.
bind_machine_id() {
  id=$1/mnt/state/machine-id
  case $(cat "$id" 2>/dev/null) in
    *[!0-9a-f]* | '') valid= ;;
    *) valid=1 ;;
  esac
  if [ -z "$valid" ] || [ "$(wc -c <"$id")" != 33 ]; then
    write_file "$id" "$(tr -d - </proc/sys/kernel/random/uuid)"
  fi
  mount -o bind "$id" "$1/etc/machine-id" || warn "the machine id is not kept: the root has no /etc/machine-id"
}

# $1 path, $2 line. Written aside and renamed, so that a power cut leaves the whole line or none.
write_file() {
  echo "$2" >"$1.new" && chmod 0444 "$1.new" && sync "$1.new" && mv "$1.new" "$1" && sync "$(dirname "$1")"
}

# $1 root
bind_writable_paths() {
  list=$1/usr/lib/minke/state.list
  [ -r "$list" ] || return 0
  mkdir -p /run/minke/volatile
  mount -t tmpfs -o nosuid,nodev,mode=0755,size=25% tmpfs /run/minke/volatile
  while read -r path mode owner partition; do
    case $path in /*) bind_path "$1" "$path" "$mode" "$owner" "$partition" ;; esac
  done <"$list"
}

bind_path() {
  case $5 in
    state | data) place=$1/mnt/$5/root$2 ;;
    volatile) place=/run/minke/volatile$2 ;;
    *) warn "state.list: unknown partition '$5' for $2" && return ;;
  esac
  if [ ! -e "$1$2" ]; then
    warn "state.list: the root has no $2 to put it on"
    return
  fi
  [ -e "$place" ] || seed "$1$2" "$place" "$3" "$4" || { warn "cannot make the writable copy of $2"; return; }
  mount -o bind "$place" "$1$2" || warn "cannot bind $2"
}

# Copies the image's content aside, makes sure that it is on the disk, and only then gives it its name.
seed() {
  mkdir -p "$(dirname "$2")" && rm -rf "$2.new" && cp -a "$1" "$2.new" || return 1
  [ "$3" = - ] || chmod "$3" "$2.new"
  [ "$4" = - ] || chown "$4" "$2.new"
  sync -f "$2.new" && mv "$2.new" "$2"
}
