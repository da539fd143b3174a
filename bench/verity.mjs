#!/usr/bin/env node
// What dm-verity under the root costs a start: how much of its slot a board has read when somebody can log in, what reading as much takes through dm-verity and without it on the same
// board, and how long the processors work for the whole start. All in QEMU, so that the shares count and not the seconds. Prints a Markdown table.
//
//   node bench/verity.mjs [--machine genericx86-64] [--rounds 5]
//
// Needs an amd64 machine and what bench/support/board.mjs needs; veritysetup of this computer (Debian: cryptsetup-bin) is run on the board with its libraries.
import { parseArgs } from 'node:util';

import { busySeconds, median, openBoard, run } from './support/board.mjs';

const { values } = parseArgs({ options: { machine: { type: 'string', default: 'genericx86-64' }, rounds: { type: 'string', default: '5' } } });
const rounds = Number(values.rounds);

const verity = run(['sh', '-c', 'command -v veritysetup']).toString().trim();
const libraries = run(['ldd', verity]).toString().split('\n').flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
const loader = libraries.find((file) => file.includes('/ld-linux'));
const program = run(['tar', '-chf', '-', '--transform', 's,.*/,,', verity, ...libraries]);

// What has been read of the slot, and what the processors have worked, both before this question has had a part in it.
const { first, there, close } = await openBoard(values.machine, 'slot=/sys/class/block/$(cat /run/minke/root-$(cat /run/minke/slot)); cat $slot/stat; head -n 1 /proc/stat; cat /proc/uptime; basename $slot');
try {
  const [disk, cpu, uptime, name] = first.trim().split('\n');
  const readBytes = Number(disk.trim().split(/\s+/)[2]) * 512;
  const boot = { readBytes, cpuSeconds: busySeconds(cpu), seconds: Number(uptime.split(' ')[0]) };

  there('mkdir -p /tmp/verity && tar -xf - -C /tmp/verity', program);
  const call = `DM_DISABLE_UDEV=1 /tmp/verity/${loader.split('/').at(-1)} --library-path /tmp/verity /tmp/verity/veritysetup`;
  there('systemctl stop minke-applications.service ModemManager.service avahi-daemon.service; modprobe dm-verity');
  // The file system's blocks are as large as dm-verity's; its superblock tells how many there are.
  const blocks = Number(there(`od -An -tu4 -j $((1024 + 36)) -N 4 /dev/${name}`).trim());
  // What is mounted cannot be mapped: the same in the other slot.
  const copy = `/dev/${there('cat /run/minke/root-B').trim()}`;
  there(`dd if=/dev/${name} of=${copy} bs=1M count=${blocks * 4096} iflag=count_bytes conv=fsync 2>/dev/null`);
  const root = /Root hash:\s*([0-9a-f]{64})/.exec(there(`${call} format --data-blocks ${blocks} ${copy} /mnt/data/verity`))?.[1];
  const treeBytes = Number(there('stat -c %s /mnt/data/verity').trim());
  there(`${call} open ${copy} rooted /mnt/data/verity ${root}`);
  const read = (device) => {
    const lines = there(`sync; echo 3 >/proc/sys/vm/drop_caches; sleep 2; head -n 1 /proc/stat; dd if=${device} of=/dev/null bs=128k count=${readBytes} iflag=count_bytes 2>/dev/null; head -n 1 /proc/stat`).trim().split('\n');
    return busySeconds(lines[1]) - busySeconds(lines[0]);
  };
  const seen = { plain: [], checked: [] };
  for (let round = 0; round < rounds; round += 1) {
    seen.plain.push(read(copy));
    seen.checked.push(read('/dev/mapper/rooted'));
  }
  // A block that is not as it was must not be read.
  there(`dd if=/dev/zero of=${copy} bs=4096 seek=$((${blocks} / 2)) count=1 conv=notrunc,fsync 2>/dev/null; echo 3 >/proc/sys/vm/drop_caches; ! dd if=/dev/mapper/rooted of=/dev/null bs=1M 2>/dev/null`);
  const extra = median(seen.checked) - median(seen.plain);
  const mebibytes = (bytes, digits = 0) => `${(bytes / 2 ** 20).toFixed(digits)} MiB`;
  const rows = [
    ['of the slot, when somebody can log in', `${mebibytes(boot.readBytes)} of ${mebibytes(blocks * 4096)}`],
    ['work of the processors until then', `${boot.cpuSeconds.toFixed(0)} s in ${boot.seconds.toFixed(0)} s`],
    ['reading as much, without dm-verity', `${seen.plain.map((one) => one.toFixed(2)).join(', ')} s`],
    ['through dm-verity', `${seen.checked.map((one) => one.toFixed(2)).join(', ')} s`],
    ["what it adds to the start's work", `${extra.toFixed(2)} s, ${((100 * extra) / boot.cpuSeconds).toFixed(1)} %`],
    ['the hash tree', mebibytes(treeBytes, 1)],
  ];
  console.log(['| | |', '|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n'));
} finally {
  await close();
}
