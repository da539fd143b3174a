// Takes the power away at many points of an update. QEMU records all that a board writes while it updates itself once; every cut is the disk as that record leaves it
// at some point, with a random half of what had not been flushed. Each is judged as the programs of a start would see it, and some are started.
//
//   OSBUILD_UPDATE_CUTS=200 OSBUILD_UPDATE_CUT_BOOTS=60 npm test -- test/boot/update-cuts.test.ts
//
// OSBUILD_UPDATE_CUT_SEED chooses the points, OSBUILD_UPDATE_CUT_FOLDER keeps the record for another run (some 6 GB).
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { loadProject } from '../../src/config/index.ts';
import { openToolsTree, type ToolsTree } from '../../src/device/index.ts';
import { createReplay, type LogEntry } from '../engine/support/logged-disk.ts';
import { randomNumbers } from '../engine/support/made-layer.ts';
import { openBoard, type EmulatedBoard } from './cuts/emulated-board.ts';
import { openJudge, type Judge, type Verdict, type WholeSlot } from './cuts/judge.ts';
import { ARCHIVE, MARKS, record, statusOf, type Recording } from './cuts/record.ts';
import { readWriteLog } from './cuts/write-log.ts';
import { home } from './osbuild-test.ts';

const CUTS = Number(process.env['OSBUILD_UPDATE_CUTS'] ?? 0);
const BOOTS = Number(process.env['OSBUILD_UPDATE_CUT_BOOTS'] ?? 0);
const SEED = process.env['OSBUILD_UPDATE_CUT_SEED'] ?? '1';
/** Of boots: the update that was cut off is done again. */
const AGAIN_EVERY = 6;
const MACHINE = 'genericx86-64';
const hours = 3600_000;

/** A point of the record at which the power goes. */
interface Cut {
  phase: 0 | 1;
  /** Entries of the phase's log that were written. */
  count: number;
  kept: boolean;
}

/** Points of the record, the earliest first: any moment between two flushes, all of these pauses equally often, since what matters most is written in the shortest. */
function choose(recording: Recording, logs: readonly LogEntry[][], random: () => number): Cut[] {
  const pauses = recording.phases.flatMap(({ fromBytes }, phase) => {
    const entries = logs[phase] ?? [];
    const flushes = entries.flatMap(({ end, write }, index) => (write === undefined && end > fromBytes ? [index] : []));
    return flushes.map((flush, index) => ({ phase: phase as 0 | 1, from: index === 0 ? entries.findIndex(({ end }) => end > fromBytes) : (flushes[index - 1] ?? 0) + 1, to: flush + 1 }));
  });
  const cuts = Array.from({ length: CUTS }, () => {
    const { phase, from, to } = pauses[Math.floor(random() * pauses.length)] as (typeof pauses)[0];
    const count = from + Math.floor(random() * (to - from + 1));
    const { keptBytes } = recording.phases[phase];
    return { phase, count, kept: keptBytes !== null && (logs[phase]?.[count - 1]?.end ?? 0) >= keptBytes };
  });
  return cuts.toSorted((a, b) => a.phase - b.phase || a.count - b.count);
}

describe.skipIf(CUTS === 0)('a power cut in an update (needs OSBUILD_UPDATE_CUTS=200 and OSBUILD_UPDATE_CUT_BOOTS=60: many hours)', () => {
  const asked = process.env['OSBUILD_UPDATE_CUT_FOLDER'];
  const folder = asked ?? mkdtempSync(join(tmpdir(), 'osbuild-cuts-'));
  const ending = new AbortController();
  const log = (line: string): void => void process.stderr.write(`cuts: ${line}\n`);
  let board: EmulatedBoard;
  let judge: Judge;
  let recording: Recording;
  let whole: WholeSlot;

  const tool = (name: string): string => {
    const { status, stdout, stderr } = spawnSync(`${home}/osbuild`, ['tools', name], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  };

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    const machine = (await loadProject(home, home)).machines.get(MACHINE)?.machine;
    if (machine === undefined) throw new Error(`there is no ${MACHINE}`);
    const built = spawnSync(`${home}/osbuild`, ['image', '--machine', MACHINE, '--json'], { cwd: home, encoding: 'utf8', maxBuffer: 1 << 28 });
    const artifacts = built.stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as { type: string; path: string }).filter(({ type }) => type === 'artifact');
    const artifact = (end: string): string => {
      const found = artifacts.find(({ path }) => path.endsWith(end))?.path;
      if (found === undefined) throw new Error(`osbuild image wrote no ${end}: ${built.stderr}`);
      return found;
    };
    const emulation = tool('tools-emulation');
    board = await openBoard({ machine, image: artifact('.img.zst'), folder, toolsTree: emulation, signal: ending.signal });
    recording = await record(board, { folder, release: artifact('.os.tar'), log });
    const tree = (path: string): ToolsTree => openToolsTree({ folder: path, work: join(folder, 'judge-tools'), hostEnvironment: { PATH: process.env['PATH'] ?? '' }, signal: ending.signal });
    judge = openJudge({ partitions: board.disk.partitions, folder: join(folder, 'judge'), imageTools: tree(tool('tools-image')), emulation: tree(emulation) });
    whole = await judge.wholeSlot(recording.phases[0].base);
  }, 6 * hours);

  afterAll(() => {
    ending.abort();
    if (asked === undefined) rmSync(folder, { recursive: true, force: true });
  });

  /** What a start makes of the disk, and whether an update still works. */
  async function startFrom(verdict: Verdict, kept: boolean, again: boolean): Promise<string> {
    const running = await board.start('cut');
    try {
      const status = await running.eventually(900, async () => {
        const now = await statusOf(running);
        if (now.trial || now.next !== now.slot || now.update?.phase === 'writing') throw new Error(`it does not settle: ${JSON.stringify(now)}`);
        return now;
      });
      if (kept) expect(status.slot).toBe('B');
      else if (verdict.starts.slot === 'B') expect([status.slot, status.update?.phase]).toEqual(['B', 'kept']);
      else expect(status.slot).toBe('A');
      for (const path of MARKS) expect((await running.need(`cat ${path}`)).trim()).toBe(recording.mark);
      await running.eventually(240, async () => expect((await running.need('systemctl is-system-running || { systemctl list-units --state=failed --plain --no-legend; exit 1; }')).trim()).toBe('running'));
      expect((await running.need(`minke run --rm ${board.reference} echo runs`)).trim()).toBe('runs');
      if (again) {
        await running.need(`minke os update --again ${ARCHIVE}`);
        const armed = await statusOf(running);
        expect([armed.update?.phase, armed.next]).toEqual(['armed', status.slot === 'A' ? 'B' : 'A']);
      }
      return `slot ${status.slot}, ${status.update?.phase ?? 'no update'}${again ? ', and updated again' : ''}`;
    } finally {
      await running.cutPower();
    }
  }

  test(`${CUTS} of them leave a disk that starts a whole release, ${BOOTS} of them are started`, async () => {
    const logs = recording.phases.map((phase) => readWriteLog(phase.log));
    const random = randomNumbers(SEED);
    const cuts = choose(recording, logs, random);
    // One of each equal part, so that none is chosen twice.
    const part = (index: number): number => Math.floor((index * CUTS) / BOOTS);
    const started = new Set(Array.from({ length: BOOTS }, (_, index) => part(index) + Math.floor(random() * (part(index + 1) - part(index)))));
    const replays = recording.phases.map((phase, index) => createReplay({ basePath: phase.base, logPath: phase.log }, logs[index] ?? []));
    const seen = new Map<string, number>();
    const faults: string[] = [];
    let boots = 0;
    for (const [index, { phase, count, kept }] of cuts.entries()) {
      const at = `cut ${index} (${phase === 0 ? 'update' : 'trial'}, ${count} of ${logs[phase]?.length ?? 0} entries, seed ${SEED})`;
      replays[phase]?.(count, index % 2 === 0 ? () => true : () => random() < 0.5, board.disk.path);
      try {
        const verdict = await judge.judge(board.disk.path, whole, recording.mark);
        const what = `${verdict.starts.trial ? 'a trial of ' : ''}slot ${verdict.starts.slot}, record ${verdict.phase ?? 'none'}`;
        seen.set(what, (seen.get(what) ?? 0) + 1);
        if (kept && (verdict.starts.slot !== 'B' || verdict.starts.trial)) throw new Error(`a release that has been kept is not started: ${what}`);
        if (!started.has(index)) continue;
        boots += 1;
        log(`${at}: ${what}; started: ${await startFrom(verdict, kept, boots % AGAIN_EVERY === 0)}`);
      } catch (error) {
        const fault = `${at}: ${error instanceof Error ? error.message : String(error)}`;
        log(fault);
        faults.push(fault);
        copyFileSync(board.disk.path, join(folder, `fault-${faults.length}.img`));
        if (faults.length >= 5) break;
      }
    }
    log([...seen].map(([what, times]) => `${times} × ${what}`).join('; '));
    expect(faults).toEqual([]);
    expect(boots).toBe(started.size);
  }, 48 * hours);
});
