import { describe, expect, it } from 'vitest';
import {
  bytesSize, ellipsis, goJson, goQuote, humanDuration, humanSize, humanSizeWithPrecision, indentJson, parseGoDuration, shortId,
} from '../../../src/engine/format/index.ts';

const second = 1000;
const hour = 3600 * second;

describe('sizes', () => {
  it.each([[0, '0B'], [999, '999B'], [1000, '1kB'], [1024, '1.024kB'], [1234567, '1.235MB'], [5_000_000_000, '5GB'], [1.5e15, '1.5PB']])('%d → %s', (size, text) => {
    expect(humanSize(size)).toBe(text);
  });
  it('with three digits, and the exponent Go shows when rounding reaches a thousand', () => {
    expect(humanSizeWithPrecision(4_261_502, 3)).toBe('4.26MB');
    expect(humanSizeWithPrecision(999_900_000, 3)).toBe('1e+03MB');
  });
  it.each([[0, '0B'], [1024, '1KiB'], [1536, '1.5KiB'], [25_226_543_104, '23.49GiB']])('binary %d → %s', (size, text) => {
    expect(bytesSize(size)).toBe(text);
  });
});

describe('durations', () => {
  it.each([
    [400, 'Less than a second'], [second, '1 second'], [59 * second, '59 seconds'], [60 * second, 'About a minute'], [119 * second, 'About a minute'],
    [59 * 60 * second, '59 minutes'], [hour, 'About an hour'], [1.6 * hour, '2 hours'], [47 * hour, '47 hours'], [48 * hour, '2 days'],
    [14 * 24 * hour, '2 weeks'], [60 * 24 * hour, '2 months'], [2 * 365 * 24 * hour, '2 years'],
  ])('%d ms → %s', (duration, text) => {
    expect(humanDuration(duration)).toBe(text);
  });
  it.each([['1h30m', 5400e9], ['250ms', 250e6], ['1.5s', 1.5e9], ['-2m', -120e9], ['0', 0], ['5', null], ['', null], ['1x', null]])('parses %s', (text, nanoseconds) => {
    expect(parseGoDuration(text)).toBe(nanoseconds);
  });
});

describe('json', () => {
  it('indents like Go, leaving numbers as they stand', () => {
    expect(indentJson('{"a":[],"b":{},"c":[1,{"d":9223372036854775807}],"e":"x:{,\\"}"}')).toBe(
      '{\n    "a": [],\n    "b": {},\n    "c": [\n        1,\n        {\n            "d": 9223372036854775807\n        }\n    ],\n    "e": "x:{,\\"}"\n}');
  });
  it('sorts only when asked', () => {
    expect(goJson({ b: 1, a: { d: 1, c: 2 } })).toBe('{"b":1,"a":{"d":1,"c":2}}');
    expect(goJson({ b: 1, a: { d: 1, c: 2 } }, true)).toBe('{"a":{"c":2,"d":1},"b":1}');
  });
});

describe('text', () => {
  it('quotes, shortens, cuts', () => {
    expect(goQuote('a"b\n\t\x01é\u200b')).toBe('"a\\"b\\n\\t\\x01é\\u200b"');
    expect(shortId('sha256:0123456789abcdef')).toBe('0123456789ab');
    expect(ellipsis('/bin/sh -c "sleep 1000"', 20)).toBe('/bin/sh -c "sleep 1…');
    expect(ellipsis('short', 20)).toBe('short');
  });
});
