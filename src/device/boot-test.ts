import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { openTarRoot } from '../image/index.ts';
import { OsbuildError, type Emit, type Machine, type RecipeSource } from '../model/index.ts';
import { eventually, openLink, output, type Board, type BoardLink } from './board.ts';
import { moduleFile } from './checks/kernel-module.ts';
import { busyboxImage } from './container-image.ts';
import { configureDisk, copyDisk, type DiskCopy } from './disk-copy.ts';
import { startEmulator, type Emulator } from './emulator.ts';
import { freePort } from './free-port.ts';
import { startRegistry, type Registry } from './registry.ts';
import { measureBoot, recordInto, type BootTestReport, type Recorder } from './report.ts';
import { startHostServices } from './host-services.ts';
import { prepareLane } from './lane.ts';
import { watchScreen } from './screen.ts';
import { makeSshKey } from './ssh.ts';
import { checksOf, comesUp, hasModem, hasScreen, hasWatchdog, isRefused, named, restarts, stages, type Stage, type Suite } from './suites.ts';
import { openToolsTree } from './tools-tree.ts';

export interface BootTestOptions {
  machineName: string;
  machine: Machine;
  /** Recipes of the image, for their checks. */
  recipes: readonly RecipeSource[];
  mode: 'development' | 'production';
  suite: Suite;
  /** The shipped image, .img.zst or .img: only read. */
  image: string;
  /** Its OS image (.os.tar), for the suites that take updates. */
  release?: string;
  /** The module of device/kernel-module for the image's kernel. */
  module?: string;
  /** The program btvirt, for images with BlueZ. */
  btvirt?: string;
  /** modules.tar with mac80211_hwsim for the image's kernel. */
  radio?: string;
  /** Folder of the emulation tools tree. */
  toolsTree: string;
  /** Static busybox for the machine's architecture (a file). */
  busybox: string;
  /** Takes consoles' logs, the network capture and report.json. The disk in it is removed at the end unless `keepDisk`. */
  work: string;
  keepDisk?: boolean;
  hostEnvironment: Record<string, string>;
  /** Multiplies every time-out; 3 suits emulation without hardware support. */
  scale?: number;
  signal: AbortSignal;
  emit: Emit;
  log?(line: string): void;
}

/** Boots a copy of the shipped image in QEMU, once for each stage of a suite, and runs every check. A failed check is a result, not an exception. */
export async function bootTest(options: BootTestOptions): Promise<BootTestReport> {
  const { machineName, machine, work, signal, emit, scale = 3 } = options;
  const log = options.log ?? (() => undefined);
  if (!machine.qemu) throw new OsbuildError('OSB_USAGE', `${machineName} has no emulation lane, so its image cannot be booted here`, { hint: '`osbuild machines` lists the machines that have one' });
  await mkdir(work, { recursive: true });
  const tree = openToolsTree({ folder: options.toolsTree, work: join(work, 'tools'), hostEnvironment: options.hostEnvironment, signal });
  const key = makeSshKey('boot-test');
  // For whoever wants to look at the board while the test runs.
  await writeFile(join(work, 'ssh-key'), key.privateKey, { mode: 0o600 });
  const hostname = `boot-${machineName.replaceAll(/[^a-z0-9]+/g, '-').slice(0, 40)}`;
  const diskFolder = join(work, 'disk');
  await rm(diskFolder, { recursive: true, force: true });
  const disk = await copyDisk({ image: options.image, folder: diskFolder, machine, tree, log });
  await configureDisk(disk, { hostname, os: { sshKeys: [key.publicKey] } }, tree);
  const lane = await prepareLane(machine, disk, tree, { secureBoot: options.suite === 'secure-boot' });
  const reference = 'localhost/boot-test:1';
  const answer = `answer-${randomBytes(8).toString('hex')}`;
  const serviceName = 'web.boot-test.example';
  const registry: Registry | null = options.suite === 'faults' ? await startRegistry(tree, join(diskFolder, 'registry')) : null;
  const services = await startHostServices(serviceName, answer, options.release ?? null);
  const screen = options.suite === 'start' && hasScreen(machine, options.recipes) ? watchScreen() : null;
  const ports = { ssh: await freePort(), web: await freePort(), engine: await freePort() };

  let emulator: Emulator | null = null;
  const running = (): Emulator => {
    if (!emulator) throw new Error('no board is running');
    return emulator;
  };
  const target = { host: '127.0.0.1', port: ports.ssh, username: 'root' };
  const link = openLink(target, key, signal, () => (emulator ? (emulator.ending() ?? emulator.stalled()) : 'no board is running'));
  const board: Board = {
    machineName,
    arch: machine.arch,
    mode: options.mode,
    hostname,
    key,
    ssh: target,
    lane,
    tree,
    services,
    registry,
    release: options.release ?? null,
    btvirt: options.btvirt === undefined ? null : await readFile(options.btvirt),
    radio: options.radio === undefined ? null : moduleOfRadios(options.radio),
    serviceName,
    serviceAnswer: answer,
    published: { host: ports.web, guest: 8080 },
    container: { reference, archive: busyboxImage(await readFile(options.busybox), reference, machine.arch, options.module === undefined ? [] : [{ path: moduleFile, mode: 0o644, content: await readFile(options.module) }]) },
    enginePort: ports.engine,
    scratch: join(diskFolder, 'scratch'),
    shippedUuids: await filesystemUuids(disk),
    capture: join(diskFolder, 'first.pcap'),
    scale,
    facts: null,
    screen,
    sshSeconds: 0,
    signal,
    emulator: running,
    sh: link.run,
    need: (script, shOptions) => output(link.run, script, shOptions),
    eventually: (seconds, attempt) => eventually(seconds * 1000 * scale, signal, attempt),
  };

  const report: BootTestReport = { machine: machineName, mode: options.mode, image: options.image, outcome: 'passed', checks: [], boots: [], consoleLogs: [] };
  try {
    let reachable = true;
    const planned = stages(options.suite, options.recipes, options.mode, { module: options.module !== undefined, radio: options.radio !== undefined, modem: hasModem(machine, options.recipes), watchdog: hasWatchdog(machine), bluetooth: options.btvirt !== undefined, screen: screen !== null });
    const first = planned.findIndex(({ restarts: passes }) => passes !== true);
    for (const [index, stage] of planned.entries()) {
      const recorder = recordInto(report, { emit, signal });
      if (!reachable) {
        for (const name of named(stage)) recorder.fail(name, 'not reached: an earlier boot failed');
        continue;
      }
      const consoleLog = join(work, `console-${index + 1}.log`);
      await rm(consoleLog, { force: true });
      report.consoleLogs.push(consoleLog);
      const forward = [
        { host: ports.ssh, guest: 22222 },
        { host: ports.web, guest: board.published.guest },
        { host: ports.engine, guest: 2375 },
      ];
      const command = lane.command(`qemu-${index + 1}`, { forward, console: 'plain', endOnReset: true, accelerator: 'tcg', usbPort: options.suite === 'update' || options.suite === 'network', ...(screen === null ? {} : { screen: true }), ...(index === first ? { capture: 'first.pcap' } : {}) });
      log(`${stage.name}: ${command.argv.join(' ')}`);
      const start = async (): Promise<Emulator> => {
        const started = await startEmulator({ tree, command, hotPlug: lane.hotPlug, consoleLog, signal });
        screen?.start(lane.controlSocket);
        return started;
      };
      emulator = await start();
      reachable = await runStage(stage, { board, link, recorder, report, restart: async () => { await screen?.stop(); emulator = await start(); }, emit });
      await screen?.stop();
      link.drop();
      if (running().isRunning()) await running().cutPower();
    }
  } finally {
    link.drop();
    await screen?.stop();
    await emulator?.cutPower();
    await services.close();
    await registry?.close();
    if (options.keepDisk !== true) await rm(diskFolder, { recursive: true, force: true });
  }
  report.outcome = report.checks.every(({ outcome }) => outcome === 'passed') ? 'passed' : 'failed';
  await writeFile(join(work, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  return report;
}

interface StageRun {
  board: Board;
  link: BoardLink;
  recorder: Recorder;
  report: BootTestReport;
  /** Starts the emulator once more, after its power was cut. */
  restart(): Promise<void>;
  emit: Emit;
}

/** Returns whether the next boot can be tried. */
async function runStage(stage: Stage, { board, link, recorder, report, restart, emit }: StageRun): Promise<boolean> {
  let started = Date.now();
  const tail = (): string => board.emulator().console.tail(25).join('\n');
  const { refused } = stage;
  if (refused !== undefined) {
    return recorder.check(isRefused(stage.name), async () => (await board.emulator().console.expect(refused, { timeoutMs: 120_000 * board.scale, what: 'a word of the firmware', from: 0 }))[0], tail);
  }
  if (stage.restarts === true) return recorder.check(restarts(stage.name), () => board.emulator().waitForEnd(600_000 * board.scale, 'the restart'), tail);
  const up = await recorder.check(comesUp(stage.name), async () => {
    await link.session(600_000 * board.scale).catch(async (error: unknown) => {
      const stalled = board.emulator().stalled();
      if (stalled === null) throw error;
      emit({ type: 'notice', level: 'warning', code: 'EMULATOR_STALLED', message: `${board.machineName}, ${stage.name}: ${stalled}: its power was cut, and it was started once more` });
      await board.emulator().cutPower();
      started = Date.now();
      await restart();
      await link.session(600_000 * board.scale);
    });
    report.boots.push(await measureBoot(stage.name, started, board));
    const times = report.boots.at(-1);
    board.sshSeconds = times?.sshSeconds ?? 0;
    return `SSH after ${times?.sshSeconds} s (${times?.sshCpuSeconds} CPU s), engine after ${times?.engineSeconds ?? '-'} s (${times?.engineCpuSeconds ?? '-'} CPU s)`;
  }, tail);
  if (!up) {
    for (const name of named(stage).slice(1)) recorder.fail(name, 'not reached: the board did not come up');
    return false;
  }
  for (const check of checksOf(stage)) await recorder.check(check.name, () => check.run(board));
  return true;
}

/** mac80211_hwsim of an archive of modules. */
function moduleOfRadios(archive: string): Buffer {
  const root = openTarRoot(archive);
  try {
    const path = [...root.entries.keys()].find((key) => key.endsWith('/mac80211_hwsim.ko'));
    if (path === undefined) throw new Error(`${archive} has no mac80211_hwsim`);
    return root.read(path);
  } finally {
    root.close();
  }
}

/** UUIDs of the ext4 filesystems on state and data, as blkid prints them. */
async function filesystemUuids({ path, partitions }: DiskCopy): Promise<string[]> {
  const file = await open(path, 'r');
  try {
    const uuids = [];
    for (const { startBytes } of [partitions.state, partitions.data]) {
      // ext4: the superblock stands 1024 bytes in, its UUID at 0x68 of it.
      const bytes = Buffer.alloc(16);
      await file.read(bytes, 0, 16, startBytes + 1024 + 0x68);
      uuids.push(bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'));
    }
    return uuids;
  } finally {
    await file.close();
  }
}
