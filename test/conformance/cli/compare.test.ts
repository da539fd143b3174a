import { describe, expect, it } from 'vitest';
import { COMMANDS } from './commands.ts';
import { judge, normalise } from './compare.ts';

const outcome = (stdout: string, code = 0, stderr = '') => ({ code, stdout, stderr });

describe('output of two engines', () => {
  it('is compared without what differs each time', () => {
    const id = 'ab12'.repeat(16);
    expect(normalise(`sha256:${id} ${id} ${id.slice(0, 12)} /tmp/x/file 2026-11-21T10:00:00.123Z  Up 2 seconds\t1.5MB 172.17.0.2 10.114.101.3\n`, '/tmp/x')).toBe('<digest> <id> <short> <folder>/file <time> Up <age> <size> <address> <address>');
    expect(normalise('Created About a minute ago, Less than a second', '/tmp/x')).toBe('Created <age> ago, <age>');
  });

  it('keeps what means something', () => {
    for (const text of ['exit 7', 'deadbeefcafe', '10.77.0.9', 'busybox:1.35', '0.0.0.0:18098']) expect(normalise(text, '/tmp/x')).toBe(text);
  });

  it('is the same, the same with other words, or different', () => {
    const folders = ['/a', '/b'] as const;
    expect(judge(outcome('in /a'), outcome('in /b'), folders)).toBe('identical');
    expect(judge(outcome('', 1, 'No such thing'), outcome('', 1, 'no such thing'), folders)).toBe('words');
    expect(judge(outcome('', 1), outcome('', 2), folders)).toBe('different');
    expect(judge(outcome('x'), outcome('y'), folders)).toBe('different');
  });

  it('comes of at least 150 commands', () => {
    expect(COMMANDS.length).toBeGreaterThanOrEqual(150);
  });
});
