import { describe, expect, it } from 'vitest';
import { createDetachFilter, parseDetachKeys } from '../../../src/engine/cli/session/detach-keys.ts';
import { createDemultiplexer } from '../../../src/engine/cli/session/multiplex.ts';
import { frame } from './support/fake-daemon.ts';

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));
const text = (data: Uint8Array) => Buffer.from(data).toString('latin1');

/** What reaches the container when `input` arrives in pieces of `size`. */
function typed(keys: string, input: string, size: number): { forwarded: string; detached: boolean } {
  const filter = createDetachFilter(bytes(keys));
  let forwarded = '';
  for (let at = 0; at < input.length; at += size) {
    const { forward, detached } = filter.push(bytes(input.slice(at, at + size)));
    forwarded += text(forward);
    if (detached) return { forwarded, detached };
  }
  return { forwarded: forwarded + text(filter.rest()), detached: false };
}

describe('detach keys', () => {
  it('are letters and control keys', () => {
    expect([...parseDetachKeys('')]).toEqual([16, 17]);
    expect([...parseDetachKeys('ctrl-a,x,ctrl-[,ctrl-@')]).toEqual([1, 120, 27, 0]);
    for (const wrong of ['ctrl-', 'ctrl-1', 'ab', ',', 'ctrl-a,']) expect(() => parseDetachKeys(wrong)).toThrow('invalid detach keys');
  });

  it.each([1, 2, 3, 100])('are found where a plain search finds them, in pieces of %d', (size) => {
    // All inputs over a small alphabet: every overlap of a sequence with itself occurs.
    const wrong: string[] = [];
    for (const keys of ['ab', 'aab', 'aba', 'aaa', 'abab', 'a']) {
      for (let code = 0; code < 3 ** 7; code++) {
        const input = code.toString(3).padStart(7, '0').replaceAll('0', 'a').replaceAll('1', 'b').replaceAll('2', 'c');
        const at = input.indexOf(keys);
        const { forwarded, detached } = typed(keys, input, size);
        if (forwarded !== (at < 0 ? input : input.slice(0, at)) || detached !== at >= 0) wrong.push(`${keys} in ${input}: ${forwarded} ${detached}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('the multiplexed stream', () => {
  const collect = async (chunks: readonly Uint8Array[]) => {
    const seen: string[] = [];
    const demultiplexer = createDemultiplexer(async (stream, data) => { seen.push(`${stream}:${text(data)}`); });
    for (const chunk of chunks) await demultiplexer.push(chunk);
    return { seen, reported: demultiplexer.end().map(text).join('') };
  };

  it('is taken apart however it is cut', async () => {
    const whole = Buffer.concat([frame(1, 'abc'), frame(2, ''), frame(2, 'de'), frame(1, 'f')]);
    for (let size = 1; size <= whole.length; size++) {
      const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_, at) => whole.subarray(at * size, (at + 1) * size));
      const { seen } = await collect(chunks);
      const joined = (stream: string) => seen.filter((part) => part.startsWith(stream)).map((part) => part.slice(7)).join('');
      expect([joined('stdout'), joined('stderr')]).toEqual(['abcf', 'de']);
    }
  });
  it('passes large frames on as they come', async () => {
    const { seen } = await collect([frame(1, 'x'.repeat(100)).subarray(0, 50)]).catch(() => ({ seen: ['ended in the middle'] }));
    expect(seen).toEqual(['ended in the middle']);
  });
  it('reports what the daemon says of itself, and refuses what is no frame', async () => {
    expect((await collect([frame(3, 'broken')])).reported).toBe('broken');
    await expect(collect([Buffer.from('HTTP/1.1 500')])).rejects.toThrow('unrecognized stream');
    await expect(collect([Buffer.from([1, 0, 0])])).rejects.toThrow('in the middle of a frame');
  });
});
