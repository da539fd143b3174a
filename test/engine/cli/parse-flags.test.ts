import { describe, expect, it } from 'vitest';
import type { FlagSpec } from '../../../src/engine/cli/flags/flag-spec.ts';
import { parseFlags } from '../../../src/engine/cli/flags/parse-flags.ts';
import { parseMemoryBytes, parseNanoCpus } from '../../../src/engine/cli/flags/flag-kinds.ts';

const specs: readonly FlagSpec[] = [
  { name: 'all', short: 'a', kind: 'bool', help: '' }, { name: 'tty', short: 't', kind: 'bool', help: '' }, { name: 'name', short: 'n', kind: 'string', help: '' },
  { name: 'env', short: 'e', kind: 'list', help: '' }, { name: 'count', kind: 'int', help: '', default: '-1' }, { name: 'proxy', kind: 'bool', help: '', default: 'true' },
  { name: 'subnet', kind: 'strings', help: '' }, { name: 'network', kind: 'network', help: '', also: ['net'] },
];
const parse = (line: string, interspersed = true) => parseFlags(line.split(' ').filter((word) => word !== ''), specs, { interspersed });

describe('parseFlags', () => {
  it('reads the spellings of pflag', () => {
    const { flags, args } = parse('-at -nx -e A=1 -eB=2 -e=C=3 --env D=4 --env=E=5 --count=0x10 first --name y second');
    expect([flags.bool('all'), flags.bool('tty'), flags.string('name'), flags.int('count')]).toEqual([true, true, 'y', 16]);
    expect(flags.list('env')).toEqual(['A=1', 'B=2', 'C=3', 'D=4', 'E=5']);
    expect(args).toEqual(['first', 'second']);
  });
  it('gives defaults, and knows what was given', () => {
    const { flags } = parse('--proxy=false');
    expect([flags.bool('proxy'), flags.given('proxy'), flags.int('count'), flags.given('count'), flags.string('name'), flags.list('env')]).toEqual([false, true, -1, false, '', []]);
    expect(parse('').flags.bool('proxy')).toBe(true);
  });
  it('ends flags at -- and, where not interspersed, at the first argument', () => {
    expect(parse('-a -- -t --name').args).toEqual(['-t', '--name']);
    expect(parse('-a image -t --rm', false).args).toEqual(['image', '-t', '--rm']);
    expect(parse('-a - -t').args).toEqual(['-']);
  });
  it('splits lists with commas only for that kind, and takes old spellings', () => {
    const { flags } = parse('--subnet 10.0.0.0/8,fd00::/8 --env a,b --net host');
    expect([flags.list('subnet'), flags.list('env'), flags.string('network')]).toEqual([['10.0.0.0/8', 'fd00::/8'], ['a,b'], 'host']);
  });
  it('names the nearest flag', () => {
    expect(() => parse('--nmae x')).toThrow('unknown flag: --nmae\nDid you mean --name?');
    expect(() => parse('--completely-else')).toThrow(/^unknown flag: --completely-else$/);
  });
  it.each([['--help'], ['-h'], ['-ah']])('%s wants help', (line) => {
    expect(parse(line).helpWanted).toBe(true);
  });
  it('a flag that the table lacks is a bug, not a default', () => {
    expect(() => parse('').flags.bool('missing')).toThrow('no --missing');
  });
});

describe('values', () => {
  it.each([['512m', 536_870_912], ['1.5g', 1_610_612_736], ['64KiB', 65_536], ['10kb', 10_240], ['100', 100], ['1b', 1], ['1x', null], ['', null], ['m', null], ['-5m', null], ['5ib', null]])('memory %s', (text, size) => {
    expect(parseMemoryBytes(text)).toBe(size);
  });
  it.each([['1.5', 1.5e9], ['0.000000001', 1], ['0.0000000001', null], ['1/4', 250_000_000]])('cpus %s', (text, nano) => {
    expect(parseNanoCpus(text)).toBe(nano);
  });
});
