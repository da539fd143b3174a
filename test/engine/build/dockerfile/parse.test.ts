import { describe, expect, it } from 'vitest';
import { parseDockerfile, parseTrigger } from '../../../../src/engine/build/dockerfile/index.ts';
import type { CommandForm, Dockerfile, Instruction } from '../../../../src/engine/build/dockerfile/index.ts';
import { EngineError } from '../../../../src/engine/error.ts';
import { BROKEN, DOCKERFILES } from './dockerfiles.ts';

const command = (form: CommandForm): string => (form.form === 'exec' ? JSON.stringify(form.argv) : form.text);
const line = (text: string): string => text.replaceAll('\n', '⏎');

function say(instruction: Instruction): string {
  switch (instruction.kind) {
    case 'from':
      return `from ${instruction.image}${instruction.stage && ` as ${instruction.stage}`}${instruction.platform && ` on ${instruction.platform}`}`;
    case 'arg':
      return `arg ${instruction.args.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`)).join('|')}`;
    case 'env':
    case 'label':
      return `${instruction.kind} ${instruction.pairs.map(([name, value]) => `${name}=${value}`).join('|')}`;
    case 'run':
      return `run ${command(instruction.command)}${instruction.mounts.map((mount) => ` mount=${mount}`).join('')}${instruction.network && ` network=${instruction.network}`}${documents(instruction.heredocs)}`;
    case 'cmd':
    case 'entrypoint':
      return `${instruction.kind} ${command(instruction.command)}`;
    case 'shell':
      return `shell ${JSON.stringify(instruction.argv)}`;
    case 'copy':
    case 'add': {
      const { from, chown, chmod, parents, exclude, checksum, unpack } = instruction.options;
      const options = [from && `from=${from}`, chown && `chown=${chown}`, chmod && `chmod=${chmod}`, parents && 'parents', exclude.length > 0 && `exclude=${exclude.join(',')}`, checksum && `checksum=${checksum}`, unpack !== undefined && `unpack=${unpack}`];
      return `${instruction.kind} ${instruction.sources.join(' ')} > ${instruction.destination}${options.filter(Boolean).map((option) => ` ${String(option)}`).join('')}${documents(instruction.heredocs)}`;
    }
    case 'expose':
    case 'volume':
      return `${instruction.kind} ${instruction.values.join(' ')}`;
    case 'healthcheck': {
      const { interval, timeout, startPeriod, startInterval, retries } = instruction.options;
      return instruction.command === undefined ? 'healthcheck none' : `healthcheck ${command(instruction.command)} ${[interval, timeout, startPeriod, startInterval, retries].join('/')}`;
    }
    case 'onbuild':
      return `onbuild ${line(instruction.trigger)}`;
    default:
      return `${instruction.kind} ${instruction.value}`;
  }
}

function documents(heredocs: readonly { name: string; expand: boolean; chomp: boolean; content: string }[]): string {
  return heredocs.map(({ name, expand, chomp, content }) => ` {${name}${expand ? ' expand' : ''}${chomp ? ' chomp' : ''}: ${line(content)}}`).join('');
}

function sayAll({ globalArgs, stages }: Dockerfile): string[] {
  return [...globalArgs.map((arg) => say(arg).replace(/^arg/, 'global')), ...stages.flatMap(({ from, instructions }) => [say(from), ...instructions.map(say)])];
}

describe('Dockerfiles', () => {
  it('are at least forty here', () => expect(DOCKERFILES.length).toBeGreaterThanOrEqual(40));
  it.each(DOCKERFILES)('%s', (_, source, says) => expect(sayAll(parseDockerfile(source))).toEqual(says));

  it.each(BROKEN)('%j cannot be read', (source, message) => {
    let error: unknown;
    try {
      parseDockerfile(source);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(EngineError);
    const { kind, hint = '', message: text } = error as EngineError;
    expect(kind).toBe('invalid');
    expect(`${text} (${hint})`).toContain(message);
  });

  it('carry the lines where instructions begin, and what was written', () => {
    const { stages, warnings } = parseDockerfile('# c\nFROM x\n\nRUN a \\\n\n  b\nUSER u');
    expect(stages[0]?.instructions.map(({ line, text }) => [line, text])).toEqual([[4, 'RUN a   b'], [7, 'USER u']]);
    expect(warnings).toEqual(['[WARNING]: Empty continuation line found in: RUN a   b']);
  });

  it('give triggers back as instructions', () => {
    expect(say(parseTrigger('COPY . /src'))).toBe('copy . > /src');
    expect(say(parseTrigger('RUN <<E\nhi\nE'))).toBe('run <<E {E expand: hi⏎}');
    expect(() => parseTrigger('FROM x')).toThrow("isn't allowed");
  });

  it('of random bytes end in an error of ours or in instructions, never in anything else', () => {
    let seed = 7;
    const random = (limit: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % limit;
    const pieces = ['FROM ', 'RUN ', 'x', '\n', '\\', '`', '#', ' ', '"', "'", '<<E', 'E', '[', ']', '$', '{', '}', '=', '--', 'ENV ', 'COPY ', '\t', '\u0000', 'é'];
    for (let round = 0; round < 3000; round += 1) {
      const source = Array.from({ length: random(40) }, () => pieces[random(pieces.length)]).join('');
      try {
        parseDockerfile(source);
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
      }
    }
  });
});
