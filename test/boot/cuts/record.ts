import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { hostAddress, releasePath, startHostServices } from '../../../src/device/host-services.ts';
import type { EmulatedBoard, Running } from './emulated-board.ts';

export interface Status {
  slot: 'A' | 'B';
  next: 'A' | 'B';
  trial: boolean;
  update: { phase: string; reason?: string } | null;
}

export const ARCHIVE = '/mnt/data/update.os.tar';
export const MARKS = ['/etc/minke/cut-mark', '/mnt/data/cut-mark'];

/** A disk, and all that was written to it while an update went on. */
export interface Phase {
  base: string;
  log: string;
  /** Length of the log where the cuts begin. */
  fromBytes: number;
  /** Length of the log from which on the release has been kept. */
  keptBytes: number | null;
}

/** An update from slot A to slot B: until the restart, and from there until it was kept. */
export interface Recording {
  phases: [Phase, Phase];
  mark: string;
}

export const statusOf = async ({ need }: Running): Promise<Status> => JSON.parse(await need('minke os status --format json')) as Status;

/** Runs one update on the board and writes down what it does to the disk. One that is in the folder already is taken. */
export async function record(board: EmulatedBoard, options: { folder: string; release: string; log(line: string): void }): Promise<Recording> {
  const { folder, release, log } = options;
  const kept = join(folder, 'recording.json');
  if (existsSync(kept)) return JSON.parse(readFileSync(kept, 'utf8')) as Recording;
  const at = (name: string): string => join(folder, name);
  const keep = (name: string): string => {
    const { status, stderr } = spawnSync('cp', ['--sparse=always', board.disk.path, at(name)]);
    if (status !== 0) throw new Error(stderr.toString());
    return at(name);
  };
  const sizeOf = (name: string): number => statSync(at(name)).size;
  const mark = randomBytes(8).toString('hex');

  log('first start');
  const services = await startHostServices('cuts.example', 'cuts', release);
  const first = await board.start('first', { endOnReset: true });
  await first.need('minke load', { stdin: board.container });
  await first.need(`minke run --rm --network host -v /mnt/data:/data ${board.reference} wget -q -O /data/update.os.tar http://${hostAddress}:${services.httpPort}${releasePath}`);
  await first.need(MARKS.map((path) => `echo ${mark} >${path}`).join('; '));
  await first.goesDown('systemctl poweroff');
  await services.close();

  log('update');
  const base = keep('before.img');
  const before = await board.start('update', { writeLog: 'update.log', endOnReset: true });
  await before.need('sync');
  const fromBytes = sizeOf('update.log');
  await before.need(`minke os update --again ${ARCHIVE}`);
  const armed = await statusOf(before);
  if (armed.slot !== 'A' || armed.next !== 'B') throw new Error(`the update is not there: ${JSON.stringify(armed)}`);
  await before.goesDown('systemctl reboot');

  log('trial');
  const between = keep('between.img');
  const trial = await board.start('trial', { writeLog: 'trial.log', endOnReset: true });
  await trial.eventually(900, async () => {
    const { slot, trial: still, update } = await statusOf(trial);
    if (slot !== 'B' || still || update?.phase !== 'kept') throw new Error('it is not kept');
  });
  const keptBytes = sizeOf('trial.log');
  await trial.goesDown('systemctl poweroff');

  const recording: Recording = { mark, phases: [{ base, log: at('update.log'), fromBytes, keptBytes: null }, { base: between, log: at('trial.log'), fromBytes: 0, keptBytes }] };
  writeFileSync(`${kept}.part`, JSON.stringify(recording));
  renameSync(`${kept}.part`, kept);
  return recording;
}
