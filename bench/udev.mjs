#!/usr/bin/env node
// What udev works when it tells the system of every device, as each start does once, and which files of rules cost the most: the same without each of the longest. Of QEMU, so that the
// shares count and not the seconds. Prints a Markdown table.
//
//   node bench/udev.mjs [--machine qemuarm64] [--rounds 3] [--rules 40-usb_modeswitch.rules,60-persistent-storage.rules]
//
// --rules names those to be tried; without it the three longest of the image.
import { parseArgs } from 'node:util';

import { median, openBoard } from './support/board.mjs';

const { values } = parseArgs({ options: { machine: { type: 'string', default: 'qemuarm64' }, rounds: { type: 'string', default: '3' }, rules: { type: 'string' } } });
const rounds = Number(values.rounds);
const folder = '/usr/lib/udev/rules.d';

const { there, close } = await openBoard(values.machine);
try {
  there('udevadm settle; systemctl stop minke-applications.service');
  const lines = there(`cd ${folder}; wc -l *.rules | sort -rn`).trim().split('\n').map((line) => line.trim().split(/\s+/));
  const longest = lines.filter(([, name]) => name !== 'total').slice(0, 3).map(([, name]) => name);
  const devices = Number(there('udevadm trigger --type=all --dry-run --verbose | wc -l').trim());
  const work = () => {
    const [before, after] = there("w() { awk '$1 == \"usage_usec\" { print $2 }' /sys/fs/cgroup/system.slice/systemd-udevd.service/cpu.stat; }; w; udevadm trigger --type=all --action=add; udevadm settle --timeout=1200; w").trim().split('\n');
    return (Number(after) - Number(before)) / 1e6;
  };
  // A file of the same name in /run goes before the image's.
  const without = (names) => there(`mkdir -p /run/udev/rules.d; rm -f /run/udev/rules.d/*; cd /run/udev/rules.d; for name in ${names.join(' ')}; do : >$name; done; udevadm control --reload`);
  const wanted = values.rules?.split(',') ?? longest;
  const cases = [['all rules', []], ...wanted.map((name) => [`without ${name}`, [name]]), ['no rules', lines.map(([, name]) => name).filter((name) => name !== 'total')]];
  const seen = new Map(cases.map(([title]) => [title, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [title, names] of cases) {
      without(names);
      seen.get(title).push(work());
    }
  }
  without([]);
  const whole = median(seen.get('all rules'));
  console.log(`${values.machine}, ${devices} devices\n\n| | CPU seconds | of all rules |\n|---|---|---|`);
  for (const [title, numbers] of seen) console.log(`| ${title} | ${numbers.map((one) => one.toFixed(1)).join(', ')} | ${(median(numbers) / whole).toFixed(2)} |`);
} finally {
  await close();
}
