// Logs of several files: every line once and in order, whatever happens to the daemon meanwhile.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE, waitFor } from '../support/lab.ts';

const OPTIONS = ['--log-opt', 'max-size=64k', '--log-opt', 'max-file=4'];
const BURST = 'while [ $i -lt $N ]; do i=$((i+1)); echo "line $i of a log that turns over"; done';

describeLab('logs of several files', (lab) => {
  const folder = (id: string): string => join(lab.dataRoot, 'containers', id);
  const logFiles = (id: string): string[] => readdirSync(folder(id)).filter((name) => name.startsWith('container.log')).toSorted();
  const numbers = (text: string): number[] => text.trim().split('\n').map((line) => Number(line.split(' ')[1]));
  /** Numbers without a gap up to the last. */
  const consecutive = (found: readonly number[]): boolean => found.every((number, at) => at === 0 || number === (found[at - 1] ?? 0) + 1);

  it('keeps max-file files of max-size, and reads them as one', async () => {
    // A burst of 80 KB, and the next when that has been set aside: how fast a machine writes must not matter.
    const id = lab.ok('run', '-d', ...OPTIONS, IMAGE, 'sh', '-c', `mkfifo /go; i=0; N=0; while N=$((N+1000)); ${BURST}; do read word < /go; done`);
    for (let last = 1000; last <= 6000; last += 1000) {
      if (last > 1000) lab.ok('exec', id, 'sh', '-c', 'echo on > /go');
      await waitFor(() => lab.ok('logs', '--tail', '1', id).includes(`line ${last} `), 60_000);
      // The last line may fill a file: conmon begins the next a moment after the full one was set aside.
      await waitFor(() => (statSync(join(folder(id), 'container.log'), { throwIfNoEntry: false })?.size ?? Infinity) < 64 * 1024, 60_000);
    }
    expect(logFiles(id)).toEqual(['container.log', 'container.log.1', 'container.log.2', 'container.log.3']);
    const all = numbers(lab.ok('logs', id));
    expect(consecutive(all)).toBe(true);
    expect(all.at(-1)).toBe(6000);
    // Lines of 80 bytes in files of 64 KiB: more than three files' worth, less than all.
    expect(all.length).toBeGreaterThan(2400);
    expect(all.length).toBeLessThan(6000);
    for (const tail of [1, 500, 1500, all.length]) expect(numbers(lab.ok('logs', '--tail', String(tail), id))).toEqual(all.slice(-tail));
    expect(lab.ok('logs', '--tail', '0', id)).toBe('');
    lab.ok('rm', '-f', id);
    await waitFor(() => !readdirSync(join(lab.dataRoot, 'containers')).includes(id));
  });

  it('is followed across files without a line lost or doubled', async () => {
    const id = lab.ok('create', '--log-opt', 'max-size=16k', '--log-opt', 'max-file=2', IMAGE, 'sh', '-c', 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo "line $i of a log"; [ $((i % 100)) = 0 ] && sleep 0.05; done');
    const followed = lab.dockerAsync('logs', '-f', id);
    lab.ok('start', id);
    const found = numbers((await followed).stdout);
    expect(found).toEqual(Array.from({ length: 3000 }, (_, at) => at + 1));
    // A container that ends as its log is set aside leaves no current one.
    expect(logFiles(id).filter((name) => name !== 'container.log')).toEqual(['container.log.1']);
    lab.ok('rm', id);
  });

  it('loses nothing while the daemon is killed again and again, and turns over when it is back', async () => {
    const id = lab.ok('run', '-d', '--log-opt', 'max-size=32k', '--log-opt', 'max-file=1000', IMAGE, 'sh', '-c', 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo "line $i of a log that turns over"; [ $((i % 20)) = 0 ] && sleep 0.01; done; sleep 100');
    for (let round = 0; round < 6; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 300 + 137 * round));
      await lab.signalDaemon('SIGKILL');
      if (round % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 400));
      await lab.startDaemon();
    }
    await waitFor(() => lab.ok('logs', '--tail', '1', id).includes('line 20000 '), 60_000);
    expect(numbers(lab.ok('logs', id))).toEqual(Array.from({ length: 20_000 }, (_, at) => at + 1));
    expect(logFiles(id).length).toBeGreaterThan(10);
    await waitFor(() => (statSync(join(folder(id), 'container.log'), { throwIfNoEntry: false })?.size ?? Infinity) < 32 * 1024);
    lab.ok('rm', '-f', id);
  });

  it('takes over a rotation that a kill cut short: the log is set aside, conmon was not told', async () => {
    const id = lab.ok('run', '-d', ...OPTIONS, IMAGE, 'sh', '-c', 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done');
    await waitFor(() => lab.ok('logs', '--tail', '1', id) !== '');
    await lab.signalDaemon('SIGKILL');
    lab.run(['mv', join(folder(id), 'container.log'), join(folder(id), 'container.log.1')]);
    await lab.startDaemon();
    expect(numbers(lab.ok('logs', id)).at(0)).toBe(1);
    const followed = lab.spawn(['timeout', '4', 'docker', 'logs', '-f', id]);
    let text = '';
    followed.stdout?.on('data', (data: Buffer) => (text += data.toString()));
    await new Promise((resolve) => followed.on('close', resolve));
    expect(logFiles(id)).toEqual(['container.log', 'container.log.1']);
    const found = numbers(text);
    expect(found[0]).toBe(1);
    expect(consecutive(found)).toBe(true);
    expect(consecutive(numbers(lab.ok('logs', id)))).toBe(true);
    lab.ok('rm', '-f', id);
  });

  it('refuses what docker refuses', () => {
    expect(lab.docker('create', '--log-opt', 'max-file=0', IMAGE).stderr).toContain('max-file cannot be less than 1');
    expect(lab.docker('create', '--log-opt', 'max-file=many', IMAGE).stderr).toContain('invalid value for max-file');
  });
});
