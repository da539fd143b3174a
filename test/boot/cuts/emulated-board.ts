import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { eventually, openLink, output } from '../../../src/device/board.ts';
import { busyboxImage } from '../../../src/device/container-image.ts';
import { configureDisk, copyDisk, keptDisk, type DiskCopy } from '../../../src/device/disk-copy.ts';
import { startEmulator } from '../../../src/device/emulator.ts';
import { freePort } from '../../../src/device/free-port.ts';
import { prepareLane } from '../../../src/device/lane.ts';
import { makeSshKey, type SshKey } from '../../../src/device/ssh.ts';
import { openToolsTree } from '../../../src/device/tools-tree.ts';
import type { Machine } from '../../../src/model/index.ts';

/** One run of the board. */
export interface Running {
  need(script: string, options?: { stdin?: Uint8Array; timeoutMs?: number }): Promise<string>;
  eventually<T>(seconds: number, attempt: () => Promise<T>): Promise<T>;
  /** The system goes down by itself; a restart ends the emulator as well. */
  goesDown(script: 'systemctl poweroff' | 'systemctl reboot'): Promise<void>;
  cutPower(): Promise<void>;
}

/** A board whose disk may be changed while it is off. */
export interface EmulatedBoard {
  disk: DiskCopy;
  reference: string;
  /** The image of `reference`, as `minke load` takes it. */
  container: Buffer;
  /** `writeLog`: a name beside the disk. Returns when somebody can log in. */
  start(name: string, options?: { writeLog?: string; endOnReset?: boolean }): Promise<Running>;
}

/** Emulation without hardware support, on a machine that does other work too. */
const scale = 4;

export async function openBoard(options: { machine: Machine; image: string; folder: string; toolsTree: string; signal: AbortSignal }): Promise<EmulatedBoard> {
  const { machine, image, folder, toolsTree, signal } = options;
  const tree = openToolsTree({ folder: toolsTree, work: join(folder, 'tools'), hostEnvironment: { PATH: process.env['PATH'] ?? '' }, signal });
  const keyFile = join(folder, 'key.json');
  let disk = existsSync(keyFile) ? await keptDisk(folder) : null;
  const key: SshKey = disk === null ? makeSshKey('cuts') : (JSON.parse(readFileSync(keyFile, 'utf8')) as SshKey);
  if (disk === null) {
    disk = await copyDisk({ image, folder, machine, tree });
    await configureDisk(disk, { hostname: 'cuts', os: { sshKeys: [key.publicKey] } }, tree);
    writeFileSync(keyFile, JSON.stringify(key), { mode: 0o600 });
  }
  const made = disk;
  const lane = await prepareLane(machine, made, tree);
  const variables = join(dirname(made.path), 'uefi-variables.fd');
  const pristine = join(folder, 'uefi-variables.pristine');
  if (existsSync(variables)) copyFileSync(variables, pristine);
  const reference = 'localhost/boot-test:1';
  return {
    disk: made,
    reference,
    container: busyboxImage(readFileSync('/bin/busybox'), reference, machine.arch),
    async start(name, { writeLog, endOnReset = false } = {}) {
      if (existsSync(pristine)) copyFileSync(pristine, variables);
      if (writeLog !== undefined) writeFileSync(join(dirname(made.path), writeLog), '');
      const port = await freePort();
      const consoleLog = join(folder, `console-${name}.log`);
      rmSync(consoleLog, { force: true });
      const command = lane.command(`qemu-${name}`, { forward: [{ host: port, guest: 22222 }], console: 'plain', endOnReset, accelerator: 'tcg', ...(writeLog === undefined ? {} : { writeLog }) });
      const emulator = await startEmulator({ tree, command, hotPlug: lane.hotPlug, consoleLog, signal });
      const link = openLink({ host: '127.0.0.1', port, username: 'root' }, key, signal, () => emulator.ending());
      const cutPower = async (): Promise<void> => {
        link.drop();
        if (emulator.isRunning()) await emulator.cutPower();
      };
      try {
        await link.session(600_000 * scale);
      } catch (cause) {
        await cutPower();
        throw new Error(`nobody can log in:\n${emulator.console.tail(25).join('\n')}`, { cause });
      }
      return {
        need: (script, shOptions) => output(link.run, script, { timeoutMs: 300_000 * scale, ...shOptions }),
        eventually: (seconds, attempt) => eventually(seconds * 1000 * scale, signal, attempt),
        async goesDown(script) {
          await link.run(script).catch(() => undefined); // the connection may go before the answer comes
          await emulator.waitForEnd(300_000 * scale, script);
          link.drop();
        },
        cutPower,
      };
    },
  };
}
