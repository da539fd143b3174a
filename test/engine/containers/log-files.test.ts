import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { logLimits, logOptionProblem, nextLog, openLogs, setAside, shiftLogs } from '../../../src/engine/containers/log-files.ts';
import type { FileStat, Files } from '../../../src/engine/ports/index.ts';

const stat = (found: { ino: bigint; size: bigint }) => ({ inode: found.ino, sizeBytes: Number(found.size) }) as FileStat;

/** Files of this machine; `renamesLeft` cuts a rotation short. */
function nodeFiles(renamesLeft = Number.POSITIVE_INFINITY): Files {
  let left = renamesLeft;
  return {
    readdir: (path: string) => readdirSync(path).map((name) => ({ name, type: 'file' })),
    rename(from: string, to: string) {
      if (left-- <= 0) throw new Error('killed');
      renameSync(from, to);
    },
    open: (path: string) => openSync(path, 'r'),
    close: closeSync,
    fstat: (fd: number) => stat(fstatSync(fd, { bigint: true })),
    stat: (path: string) => stat(statSync(path, { bigint: true })),
  } as Partial<Files> as Files;
}

let folder = '';
let path = '';
const files = nodeFiles();
const content = () => openLogs(files, path).map(({ fd }) => {
  const text = readFileSync(fd, 'utf8');
  closeSync(fd);
  return text;
});

beforeEach(() => {
  folder = mkdtempSync('/var/tmp/minke-logs-');
  path = join(folder, 'container.log');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('rotated logs', () => {
  it('has the limits of the driver', () => {
    expect(logLimits({ Type: 'json-file', Config: {} })).toEqual({ sizeBytes: undefined, files: 1 });
    expect(logLimits({ Type: 'json-file', Config: { 'max-size': '1k', 'max-file': '3' } })).toEqual({ sizeBytes: 1024, files: 3 });
    expect(logLimits({ Type: 'local', Config: {} })).toEqual({ sizeBytes: 20 * 1024 ** 2, files: 5 });
    expect(logLimits({ Type: 'local', Config: { 'max-size': '-1' } })).toEqual({ sizeBytes: undefined, files: 5 });
  });

  it.each([
    [{ 'max-file': '0' }, 'max-file cannot be less than 1'], [{ 'max-file': 'x' }, 'invalid value for max-file: x'], [{ 'max-size': 'much' }, 'invalid value for max-size: much'], [{ 'max-size': '10m', 'max-file': '3' }, undefined],
  ])('checks %j', (Config, problem) => expect(logOptionProblem({ Type: 'json-file', Config })).toBe(problem));

  it('keeps as many files as it may, and forgets the oldest', () => {
    for (let round = 1; round <= 5; round += 1) {
      writeFileSync(path, `${round}\n`);
      shiftLogs(files, path, 3);
    }
    writeFileSync(path, '6\n');
    expect(setAside(files, path)).toEqual([1, 2]);
    expect(content()).toEqual(['4\n', '5\n', '6\n']);
  });

  it.each([0, 1, 2, 3])('loses and doubles nothing when it is cut short after %i renames', (renames) => {
    for (let round = 1; round <= 3; round += 1) {
      writeFileSync(path, `${round}\n`);
      shiftLogs(files, path, 9);
    }
    writeFileSync(path, '4\n');
    expect(() => shiftLogs(nodeFiles(renames), path, 9)).toThrow('killed');
    expect(content()).toEqual(['1\n', '2\n', '3\n', '4\n']);
    shiftLogs(files, path, 9);
    expect(existsSync(path)).toBe(false);
    expect(content()).toEqual(['1\n', '2\n', '3\n', '4\n']);
  });

  it('leads from each file to the next, also when the one that was read is gone', () => {
    for (const text of ['1', '2', '3']) {
      writeFileSync(path, text);
      shiftLogs(files, path, 9);
    }
    const [oldest, ...others] = openLogs(files, path);
    for (const { fd } of others) closeSync(fd);
    if (oldest === undefined) throw new Error('no log');
    const read = (log: { fd: number } | undefined) => (log === undefined ? undefined : readFileSync(log.fd, 'utf8'));
    const second = nextLog(files, path, oldest);
    expect(read(second)).toBe('2');
    const third = second && nextLog(files, path, second);
    expect(read(third)).toBe('3');
    // conmon has begun no new file: it still writes to this one.
    expect(third && nextLog(files, path, third)).toBeUndefined();
    writeFileSync(path, '4');
    const fourth = third && nextLog(files, path, third);
    expect(read(fourth)).toBe('4');
    expect(fourth && nextLog(files, path, fourth)).toBeUndefined();
    rmSync(`${path}.3`);
    expect(read(nextLog(files, path, oldest))).toBe('2');
    for (const log of [oldest, second, third, fourth]) if (log !== undefined) closeSync(log.fd);
  });
});
