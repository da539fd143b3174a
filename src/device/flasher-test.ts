import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { OsbuildError, type Emit, type Machine } from '../model/index.ts';
import { eventually, openLink, output } from './board.ts';
import { applicationsStatus } from './checks/applications.ts';
import { ensure } from './checks/check.ts';
import { configureDisk, diskSize, readBootFile, unpackImage, writeBootFile, type BootDisk, type DiskCopy } from './disk-copy.ts';
import { listPartitions, readPartitions } from './disk-partitions.ts';
import { startEmulator, type Emulator } from './emulator.ts';
import { freePort } from './free-port.ts';
import { prepareLane } from './lane.ts';
import { measureBoot, recordInto, type BootTestReport } from './report.ts';
import { makeSshKey } from './ssh.ts';
import { openToolsTree, type ToolsTree } from './tools-tree.ts';

export interface FlasherTestOptions {
  machineName: string;
  machine: Machine;
  mode: 'development' | 'production';
  /** The image, and the flasher that writes it; both .img.zst, and only read. */
  image: string;
  flasher: string;
  /** Services of the applications that came with the image, if any did. */
  services?: readonly string[];
  /** Folder of the emulation tools tree. */
  toolsTree: string;
  /** Takes consoles' logs and report.json; the disks in it are removed at the end. */
  work: string;
  hostEnvironment: Record<string, string>;
  /** Multiplies every time-out; 3 suits emulation without hardware support. */
  scale: number;
  signal: AbortSignal;
  emit: Emit;
  log(line: string): void;
}

const names = {
  cut: 'flasher: cut off in the middle of writing, it leaves a disk that nothing takes for a system',
  flash: 'flasher: started again, it writes the disk, reads it back and switches the board off',
  bytes: 'flasher: the disk holds the image, and nothing of what was on it before',
  carried: 'flasher: the configuration of the medium is on the disk',
  boot: 'installed: the board starts from its own disk and lets the configured key in',
  profile: 'installed: the network profile of the medium is in use',
  applications: 'installed: the applications that came with the image run',
  poweroff: 'installed: the board shuts down and the power goes off',
} as const;

/** Names of all results, in order; `applications`: some came with the image. */
export const flasherCheckNames = ({ applications }: { applications: boolean }): string[] => Object.values(names).filter((name) => applications || name !== names.applications);

const profileName = 'from-the-medium';
const profilePath = `system-connections/${profileName}.nmconnection`;
const profile = `[connection]\nid=${profileName}\ntype=ethernet\nautoconnect-priority=50\n\n[ipv4]\nmethod=auto\n`;
const mebibyte = 1024 ** 2;
/** What an earlier system left at both ends of the disk. */
const litter = Buffer.alloc(mebibyte, 0xa5);

/**
 * Starts a board from a flasher on USB with a disk of its own, cuts its power, starts it again and lets it finish; then starts it from
 * the disk alone. A failed check is a result, not an exception.
 */
export async function flasherTest(options: FlasherTestOptions): Promise<BootTestReport> {
  const { machineName, machine, work, signal, emit, scale, services = [] } = options;
  if (machine.qemu?.boot !== 'uefi') throw new OsbuildError('OSB_USAGE', `${machineName} has no lane that starts from USB, so its flasher cannot be tried here`, { hint: 'machines with qemu.boot: uefi have one' });
  await mkdir(work, { recursive: true });
  const tree = openToolsTree({ folder: options.toolsTree, work: join(work, 'tools'), hostEnvironment: options.hostEnvironment, signal });
  const folder = join(work, 'disk');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  const key = makeSshKey('flasher-test');
  const config = { hostname: 'flashed', os: { sshKeys: [key.publicKey] } };
  const report: BootTestReport = { machine: machineName, mode: options.mode, image: options.flasher, outcome: 'passed', checks: [], boots: [], consoleLogs: [] };
  const recorder = recordInto(report, { emit, signal });
  const port = await freePort();
  let emulator: Emulator | null = null;
  const running = (): Emulator => {
    if (!emulator) throw new Error('no board is running');
    return emulator;
  };
  const link = openLink({ host: '127.0.0.1', port, username: 'root' }, key, signal, () => (emulator ? emulator.ending() : 'no board is running'));
  const tail = (): string => running().console.tail(25).join('\n');
  try {
    const disks = await makeDisks(options, folder, tree);
    await configureDisk(disks.medium, config, tree);
    await writeBootFile(disks.medium, profilePath, profile, tree);
    const lane = await prepareLane(machine, disks.target, tree);
    const start = async (name: string, stick?: string): Promise<void> => {
      const consoleLog = join(work, `console-${name}.log`);
      await rm(consoleLog, { force: true });
      report.consoleLogs.push(consoleLog);
      // A restart is not the end: QEMU's timers fail a kernel now and then on a busy host, which then starts again (panic=10).
      const command = lane.command(`qemu-${name}`, { forward: [{ host: port, guest: 22222 }], console: 'plain', endOnReset: false, accelerator: 'tcg', ...(stick === undefined ? {} : { stick }) });
      options.log(`${name}: ${command.argv.join(' ')}`);
      emulator = await startEmulator({ tree, command, hotPlug: lane.hotPlug, consoleLog, signal });
    };
    /** What the console says decides: an emulator's time means nothing. */
    const see = (pattern: RegExp, what: string): Promise<unknown> => running().console.expect(pattern, { timeoutMs: 600_000 * scale, what, from: 0 });

    let going = await recorder.check(names.cut, async () => {
      await start('cut', disks.stick);
      await see(/writing content: [2-9]\d %/, 'the flasher at work');
      await running().cutPower();
      await expectNothingToStart(disks.target);
    }, tail);
    going = going && (await recorder.check(names.flash, async () => {
      await start('flash', disks.stick);
      await Promise.race([see(/minke: done: /, 'the flasher at its end'), see(/FAILED: .*/, 'nothing').then(() => { throw new Error('the flasher says that it failed'); })]);
      await running().waitForEnd(60_000 * scale, 'switching off');
    }, tail));
    going = going && (await recorder.check(names.bytes, () => compareDisks(disks)));
    going = going && (await recorder.check(names.carried, async () => {
      const carried = JSON.parse((await readBootFile(disks.target, 'config.json', tree))?.toString('utf8') ?? '') as { hostname?: string };
      ensure(carried.hostname === config.hostname, `config.json says ${JSON.stringify(carried)}`);
      ensure((await readBootFile(disks.target, profilePath, tree))?.toString('utf8') === profile, 'the profile is not the medium’s');
    }));
    going = going && (await recorder.check(names.boot, async () => {
      const started = Date.now();
      await start('installed');
      await link.session(600_000 * scale);
      report.boots.push(await measureBoot('installed', started, { emulator: running, need: (script) => output(link.run, script), eventually: (seconds, attempt) => eventually(seconds * 1000 * scale, signal, attempt) }));
      const hostname = await output(link.run, 'hostname');
      ensure(hostname === `${config.hostname}\n`, `the host name is ${hostname}`);
    }, tail));
    if (going) {
      await recorder.check(names.profile, async () =>
        eventually(120_000 * scale, signal, async () => {
          const active = await output(link.run, 'nmcli -t -f NAME connection show --active');
          ensure(active.split('\n').includes(profileName), `in use: ${active}`);
        }));
      if (services.length > 0) await recorder.check(names.applications, () => eventually(240_000 * scale, signal, () => expectServices({ sh: link.run, scale }, services)));
      await recorder.check(names.poweroff, async () => {
        await link.run('systemctl poweroff').catch(() => undefined); // the connection may go before the answer comes
        await running().waitForEnd(180_000 * scale, 'the shutdown');
      });
    }
    const seen = new Set(report.checks.map(({ name }) => name));
    for (const name of flasherCheckNames({ applications: services.length > 0 })) if (!seen.has(name)) recorder.fail(name, 'not reached');
  } finally {
    link.drop();
    await (emulator as Emulator | null)?.cutPower();
    await rm(folder, { recursive: true, force: true });
  }
  report.outcome = report.checks.every(({ outcome }) => outcome === 'passed') ? 'passed' : 'failed';
  await writeFile(join(work, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  return report;
}

interface TestDisks {
  medium: BootDisk;
  /** Name of the medium's file. */
  stick: string;
  /** The board's own disk; partitions are those that it will have. */
  target: DiskCopy;
  /** The image unpacked, to compare with. */
  image: { path: string; sizeBytes: number };
}

/** The medium, and a disk of the board's own with litter at both ends. */
async function makeDisks({ image, flasher, machine, log }: FlasherTestOptions, folder: string, tree: ToolsTree): Promise<TestDisks> {
  const [stick, path, original] = ['stick.img', join(folder, 'disk.img'), join(folder, 'image.img')];
  await unpackImage(flasher, join(folder, stick), tree, log);
  await unpackImage(image, original, tree, log);
  const [mediumFile, imageFile, target] = [await open(join(folder, stick), 'r'), await open(original, 'r'), await open(path, 'w')];
  try {
    const [boot] = await listPartitions(mediumFile);
    if (boot === undefined) throw new OsbuildError('OSB_BOOT_TEST_FAILED', 'the flasher has no partition');
    const imageBytes = (await imageFile.stat()).size;
    const sizeBytes = diskSize(imageBytes, machine);
    await target.truncate(sizeBytes);
    for (const offset of [0, sizeBytes - litter.length]) await target.write(litter, 0, litter.length, offset);
    return {
      medium: { path: join(folder, stick), partitions: { boot } },
      stick,
      target: { path, sizeBytes, partitions: await readPartitions(imageFile) },
      image: { path: original, sizeBytes: imageBytes },
    };
  } finally {
    await Promise.all([mediumFile, imageFile, target].map((file) => file.close()));
  }
}

/** Each of the services, and no other, is what `minke os applications` keeps running. */
async function expectServices(board: Parameters<typeof applicationsStatus>[0], services: readonly string[]): Promise<string> {
  const found = (await applicationsStatus(board)).services.map(({ name, state }) => `${name} ${state}`).toSorted().join(', ');
  ensure(found === [...services].toSorted().map((name) => `${name} running`).join(', '), `they are: ${found || 'none'}`);
  return found;
}

/** Neither a partition table nor an earlier one's copy at the end of the disk. */
async function expectNothingToStart({ path, sizeBytes }: DiskCopy): Promise<void> {
  const zeros = Buffer.alloc(litter.length);
  const file = await open(path, 'r');
  try {
    for (const offset of [0, sizeBytes - zeros.length]) {
      const found = Buffer.alloc(zeros.length);
      await file.read(found, 0, found.length, offset);
      ensure(found.equals(zeros), `the disk holds something at ${offset}`);
    }
  } finally {
    await file.close();
  }
}

/** Everything but the boot partition, which has got the owner's files, is as in the image; behind it nothing of the litter is left. */
async function compareDisks({ image, target }: TestDisks): Promise<string> {
  const { boot } = target.partitions;
  const [want, have] = [await open(image.path, 'r'), await open(target.path, 'r')];
  const [one, other] = [Buffer.alloc(mebibyte), Buffer.alloc(mebibyte)];
  try {
    for (let at = 0; at < image.sizeBytes; at += mebibyte) {
      if (at >= boot.startBytes && at < boot.startBytes + boot.sizeBytes) continue;
      await Promise.all([want.read(one, 0, mebibyte, at), have.read(other, 0, mebibyte, at)]);
      ensure(one.equals(other), `they differ at MiB ${at / mebibyte}`);
    }
    await have.read(other, 0, mebibyte, target.sizeBytes - mebibyte);
    ensure(other.equals(Buffer.alloc(mebibyte)), 'the end of the disk still holds what was on it before');
    return `${(image.sizeBytes - boot.sizeBytes) / mebibyte} MiB compared`;
  } finally {
    await Promise.all([want.close(), have.close()]);
  }
}
