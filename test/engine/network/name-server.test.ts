import { describe, expect, it } from 'vitest';
import { parseQuestion, reverseAddress, TYPE_A, TYPE_AAAA, TYPE_PTR } from '../../../src/engine/network/dns-message.ts';
import { ownAnswer } from '../../../src/engine/network/name-server.ts';

/** A query as a resolver writes it. */
function query(name: string, type: number, changes: { flags?: number; count?: number; cls?: number } = {}): Uint8Array {
  const { flags = 0x0100, count = 1, cls = 1 } = changes;
  const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
  return Uint8Array.from([0xab, 0xcd, flags >> 8, flags & 255, 0, count, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, cls]);
}

const scope = {
  addresses: (name: string) => (name === 'web' ? ['10.0.0.2', '10.0.0.3', '10.0.0.4'] : []),
  name: (address: string) => (address === '10.0.0.2' ? 'web.net1' : undefined),
};
function ask(name: string, type: number, turn = 0): number[] | undefined {
  const message = query(name, type);
  const question = parseQuestion(message);
  if (question === undefined) throw new Error('not understood');
  const reply = ownAnswer(message, question, scope, () => turn);
  return reply === undefined ? undefined : [...reply];
}

describe('a query', () => {
  it('is read', () => {
    expect(parseQuestion(query('Web.Example.COM', TYPE_A))).toEqual({ id: 0xabcd, recursionDesired: true, name: 'web.example.com', type: TYPE_A, end: 33 });
  });

  it.each([
    ['an answer', query('a', 1, { flags: 0x8100 })], ['another operation', query('a', 1, { flags: 0x2800 })], ['two questions', query('a', 1, { count: 2 })], ['another class', query('a', 1, { cls: 3 })],
    ['nothing', new Uint8Array(0)], ['a header alone', query('a', 1).slice(0, 12)], ['a cut name', query('abcdef', 1).slice(0, 15)], ['a name without end', query('abcdef', 1).slice(0, 19)], ['a compressed name', Uint8Array.from([...query('a', 1).slice(0, 12), 0xc0, 0x0c, 0, 1, 0, 1])],
    ['a name that is too long', query(Array.from({ length: 60 }, () => 'abcdefg').join('.'), 1)],
  ])('is none when it is %s', (_, message) => {
    expect(parseQuestion(message)).toBeUndefined();
  });

  it('for a name of ours is answered with all addresses, in turn', () => {
    const expected = (...last: number[]) => [0xab, 0xcd, 0x81, 0x80, 0, 1, 0, 3, 0, 0, 0, 0, 3, 119, 101, 98, 0, 0, 1, 0, 1, ...last.flatMap((byte) => [0xc0, 12, 0, 1, 0, 1, 0, 0, 2, 0x58, 0, 4, 10, 0, 0, byte])];
    expect(ask('web', TYPE_A)).toEqual(expected(2, 3, 4));
    expect(ask('WEB', TYPE_A, 2)?.slice(21)).toEqual(expected(4, 2, 3).slice(21));
  });

  it('for its IPv6 address says that there is none, instead of asking elsewhere', () => {
    expect(ask('web', TYPE_AAAA)?.slice(0, 12)).toEqual([0xab, 0xcd, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
  });

  it('for an address is answered with its name', () => {
    expect(Buffer.from(ask('2.0.0.10.in-addr.arpa', TYPE_PTR) ?? []).toString('latin1')).toMatch(/\u0003web\u0004net1\u0000$/);
    expect(reverseAddress('4.3.2.1.in-addr.arpa')).toBe('1.2.3.4');
    expect(reverseAddress('999.3.2.1.in-addr.arpa')).toBeUndefined();
  });

  it('for anything else is not ours', () => {
    for (const [name, type] of [['other', TYPE_A], ['web', 15], ['9.9.9.9.in-addr.arpa', TYPE_PTR]] as const) expect(ask(name, type)).toBeUndefined();
  });
});
