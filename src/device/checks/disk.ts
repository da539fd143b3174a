import { ensure, type BootCheck } from './check.ts';

/** Start and size of the data partition, size of its disk (bytes), size of its filesystem. */
export const dataSizes = `
set -e
name=$(basename "$(readlink -f "$(findmnt -n -o SOURCE /mnt/data)")")
part=/sys/class/block/$name
disk=$(dirname "$(readlink -f $part)")
echo $(($(cat $part/start) * 512)) $(($(cat $part/size) * 512)) $(($(cat $disk/size) * 512)) $(($(stat -f -c '%b * %S' /mnt/data)))`;

const mebibyte = 1024 * 1024;

export const diskChecks: readonly BootCheck[] = [
  {
    name: 'disk: the data partition and its filesystem grew to the end of the disk',
    run: async (board) => {
      const [start = 0, size = 0, disk = 0, filesystem = 0] = (await board.need(dataSizes)).trim().split(' ').map(Number);
      const shipped = board.lane.disk.partitions.data.sizeBytes;
      ensure(disk === board.lane.disk.sizeBytes, `the board sees a disk of ${disk} bytes instead of ${board.lane.disk.sizeBytes}`);
      ensure(start + size >= disk - 8 * mebibyte, `the partition ends ${disk - start - size} bytes before the disk`);
      ensure(filesystem >= size * 0.85, `the filesystem has ${filesystem} of the partition's ${size} bytes`);
      ensure(size > shipped, `the partition still has its ${shipped} bytes`);
      return `${Math.round(shipped / mebibyte)} → ${Math.round(size / mebibyte)} MiB`;
    },
  },
  {
    name: 'disk: the filesystems got identifiers of their own',
    run: async (board) => {
      const script = 'for at in state data; do blkid -p -s UUID -o value "$(findmnt -n -o SOURCE /mnt/$at)" || exit 1; done';
      const now = (await board.need(script)).trim().split('\n');
      ensure(now.length === 2 && new Set(now).size === 2, `the board has ${now.join(', ')}`);
      const same = now.filter((uuid) => board.shippedUuids.includes(uuid));
      ensure(same.length === 0, `${same.join(', ')} is also that of the shipped image`);
    },
  },
  {
    name: 'disk: the root is read through dm-verity',
    run: async (board) => {
      const mounted = (await board.need('findmnt -n -o SOURCE /; minke os status --format json | jq -r .root')).trim();
      ensure(mounted === '/dev/mapper/minke-root\nverity', mounted);
    },
  },
  {
    name: 'disk: the boot partition is mounted read-only',
    run: async (board) => {
      const options = await board.need('findmnt -n -o OPTIONS /mnt/boot');
      ensure(/^ro(,|$)/.test(options.trim()), `it is mounted with ${options.trim()}`);
    },
  },
];
