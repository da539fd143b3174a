import { shellLine } from '../exec/index.ts';

/**
 * Writes a disk, on the host that it is in: a program for sh, because devices have nothing else. It takes orders on its standard input, a line
 * each, and answers each with a line:
 *   b START LENGTH         zeros                                    → ok
 *   w START LENGTH PACKED  that many bytes follow, PACKED of them by gzip, or 0 for as they are → ok, when the medium has them
 *   c                      drop the cache                           → ok
 *   h START END            read back                                → r BYTES …, h SHA-256; e BYTE where it cannot be read
 *   k                      it is whole and stays                    → ok
 *   .                      we are still here                        →
 * First it says `ready gzip` or `ready plain`; what it does not do is answered with `no REASON`. Whatever ends it before `k`, a connection that
 * breaks as well, makes it blank the beginning of the disk.
 */
const program = String.raw`
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH
disk=$1 head=$2 silence=$3 begun=
no() { printf 'no %s\n' "$(printf '%s' "$*" | tr '\n' ' ')"; }
zero() { dd if=/dev/zero of="$disk" bs=64K seek="$1" count="$2" oflag=seek_bytes iflag=count_bytes conv=nocreat,notrunc,fsync 2>&1; }
trap '[ -z "$begun" ] || zero 0 "$head" >/dev/null' EXIT
trap 'exit 1' HUP INT PIPE TERM
[ -w "$disk" ] || { no "refused it may not be written by $(id -un)"; exit 1; }
exec 3>&1 9<"$disk"
flock -w 10 9 || { no "refused another program writes to it"; exit 1; }
for number in $(lsblk -nro MAJ:MIN "$disk" 2>/dev/null); do
  grep -q "^[0-9]* [0-9]* $number " /proc/self/mountinfo && { no "refused it is in use: something mounted it"; exit 1; }
done
case $(blockdev --rereadpt "$disk" 2>&1) in *busy*) no "refused it is in use"; exit 1 ;; esac
limit= patience=
(printf 'x\n' | read -t 1 -r line) 2>/dev/null && limit="-t $silence"
command -v timeout >/dev/null && patience="timeout $silence"
if command -v gzip >/dev/null; then echo ready gzip; else echo ready plain; fi
while read $limit -r verb a b c; do
  case $verb in
    b)
      begun=1
      told=$(zero "$a" "$b") && echo ok || no "$told" ;;
    w)
      told=$({ if [ "$c" -gt 0 ]; then $patience head -c "$c" | gzip -dc; else $patience head -c "$b"; fi |
        dd of="$disk" bs=1M seek="$a" oflag=seek_bytes iflag=fullblock conv=nocreat,notrunc,fdatasync; } 2>&1) || { no "$told"; continue; }
      case $told in *"
$b byte"*) echo ok ;; *) no "$told" ;; esac ;;
    c)
      if [ ! -b "$disk" ] || told=$(blockdev --flushbufs "$disk" 2>&1); then echo ok; else no "$told"; fi ;;
    h)
      sum=$(while [ "$a" -lt "$b" ]; do
        n=$((b - a)); [ "$n" -le 16777216 ] || n=16777216
        dd if="$disk" bs=1M skip="$a" count="$n" iflag=skip_bytes,count_bytes 2>/dev/null || { echo "e $a" >&3; exit; }
        a=$((a + n)); echo "r $n" >&3
      done | sha256sum)
      set -- $sum; echo "h $1" ;;
    k)
      begun=
      blockdev --rereadpt "$disk" 2>/dev/null
      echo ok ;;
  esac
done
`;

/** The line of shell that starts it: with bash where there is one, since dash cannot stop waiting for a line. */
export function writerCommand(disk: string, headBytes: number, silenceSeconds: number): string {
  return shellLine(['sh', '-c', 'shell=sh; command -v bash >/dev/null && shell=bash; exec $shell -c "$@"', 'sh', program, 'write', disk, String(headBytes), String(silenceSeconds)]);
}
