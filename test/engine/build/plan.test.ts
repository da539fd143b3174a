import { describe, expect, it } from 'vitest';
import { configure, type ConfigInstruction } from '../../../src/engine/build/configure.ts';
import { parseDockerfile } from '../../../src/engine/build/dockerfile/index.ts';
import { wholeCharacters } from '../../../src/engine/build/output.ts';
import { planBuild, resolveFrom, type BuildPlan } from '../../../src/engine/build/plan.ts';
import { parseRunMount } from '../../../src/engine/build/run-mount.ts';
import { scratchState, type StageState } from '../../../src/engine/build/stage-state.ts';

function plan(source: string, target = '', buildArgs: Record<string, string> = {}, labels: Record<string, string> = {}): BuildPlan {
  return planBuild(parseDockerfile(source), { target, buildArgs: new Map(Object.entries(buildArgs)), platformArgs: new Map([['TARGETARCH', 'arm64']]), labels });
}
const needed = (made: BuildPlan): number[] => made.stages.filter((stage) => stage.needed).map(({ index }) => index);

describe('plans of builds', () => {
  const four = 'FROM a AS one\nRUN x\nFROM b AS two\nRUN y\nFROM one AS three\nCOPY --from=two /a /b\nFROM scratch AS four\nCOPY --from=one /c /d';

  it('have the stages that the target needs', () => {
    expect(needed(plan(four))).toEqual([0, 3]);
    expect(needed(plan(four, 'three'))).toEqual([0, 1, 2]);
    expect(needed(plan(four, 'TWO'))).toEqual([1]);
    expect(needed(plan(four, '0'))).toEqual([0]);
    expect(() => plan(four, 'five')).toThrow('failed to reach build target five');
    expect(needed(plan('FROM a AS x\nFROM b AS y\nFROM c\nRUN --mount=from=x,target=/m z'))).toEqual([0, 2]);
  });

  it('count the steps that are carried out', () => {
    expect(plan(`ARG A\n${four}`).stepCount).toBe(5);
    expect(plan('FROM a', '', {}, { k: 'v' }).stepCount).toBe(2);
  });

  it('put arguments into names of images', () => {
    const source = 'ARG V=1\nARG W=${V}.2\nFROM base:$W\nFROM --platform=$TARGETARCH ${NO:-other}';
    expect(plan(source).stages.map(({ base, platform }) => [base, platform])).toEqual([[{ kind: 'image', name: 'base:1.2' }, ''], [{ kind: 'image', name: 'other' }, 'arm64']]);
    expect(plan(source, '', { V: '9' }).stages[0]?.base).toEqual({ kind: 'image', name: 'base:9.2' });
    expect(() => plan('FROM $NONE')).toThrow('base name ($NONE) should not be blank');
  });

  it('take nothing from stages that come later', () => {
    const { stages } = plan('FROM a AS x\nFROM b AS y\nFROM c');
    expect(resolveFrom(stages, 2, 'X', 1)).toEqual({ kind: 'stage', index: 0 });
    expect(resolveFrom(stages, 2, '1', 1)).toEqual({ kind: 'stage', index: 1 });
    expect(resolveFrom(stages, 0, 'y', 1)).toEqual({ kind: 'image', name: 'y' });
    expect(() => resolveFrom(stages, 1, '1', 4)).toThrow('on line 4: invalid from flag value 1: refers to current build block');
    expect(() => resolveFrom(stages, 1, 'y', 4)).toThrow('refers to current build block');
    expect(() => resolveFrom(stages, 1, '7', 4)).toThrow('that stage comes later');
    expect(() => plan('FROM a AS x\nCOPY --from=x a b')).toThrow('refers to current build block');
  });
});

describe('configuration', () => {
  const start = scratchState({ architecture: 'amd64', variant: '' });
  function after(lines: string, state: StageState = start): { state: StageState; said: string[] } {
    const said: string[] = [];
    for (const instruction of parseDockerfile(`FROM x\n${lines}`).stages[0]?.instructions ?? []) {
      const result = configure(state, instruction as ConfigInstruction, '\\');
      state = result.state;
      said.push(result.said);
    }
    return { state, said };
  }
  const config = (lines: string, state?: StageState) => after(lines, state).state.config;

  it.each([
    ['ENV A=1 B=$A', { Env: [expect.stringMatching(/^PATH=/), 'A=1', 'B='] }],
    ['ENV A=1\nENV A="$A 2" C=${A:-x}', { Env: [expect.stringMatching(/^PATH=/), 'A=1 2', 'C=1'] }],
    ['ENV PATH=$PATH:/x', { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/x'] }],
    ['LABEL a="x y" b=\nLABEL a=z', { Labels: { a: 'z', b: '' } }],
    ['WORKDIR /a\nWORKDIR b/../c', { WorkingDir: '/a/c' }],
    ['WORKDIR a', { WorkingDir: '/a' }],
    ['CMD echo hi', { Cmd: ['/bin/sh', '-c', 'echo hi'] }],
    ['SHELL ["/bin/ash", "-ec"]\nCMD echo hi', { Cmd: ['/bin/ash', '-ec', 'echo hi'] }],
    ['CMD ["a"]\nENTRYPOINT ["b"]', { Cmd: ['a'], Entrypoint: ['b'] }],
    ['EXPOSE 80 81/UDP 90-92', { ExposedPorts: { '80/tcp': {}, '81/udp': {}, '90/tcp': {}, '91/tcp': {}, '92/tcp': {} } }],
    ['ENV P="1 2"\nEXPOSE $P', { ExposedPorts: { '1/tcp': {}, '2/tcp': {} } }],
    ['VOLUME /a "/b c"', { Volumes: { '/a': {}, '/b c': {} } }],
    ['HEALTHCHECK --retries=2 CMD a b', { Healthcheck: { Test: ['CMD-SHELL', 'a b'], Retries: 2 } }],
    ['HEALTHCHECK NONE', { Healthcheck: { Test: ['NONE'] } }],
    ['ONBUILD RUN $x\nONBUILD USER y', { OnBuild: ['RUN $x', 'USER y'] }],
    ['STOPSIGNAL SIGRTMIN+3', { StopSignal: 'SIGRTMIN+3' }],
  ])('%s', (lines, expected) => expect(config(lines)).toMatchObject(expected));

  it('an entrypoint takes the base\'s command away, not one of its own', () => {
    const base: StageState = { ...start, config: { ...start.config, Cmd: ['old'] } };
    expect(config('ENTRYPOINT ["new"]', base).Cmd).toBeNull();
    expect(config('CMD ["own"]\nENTRYPOINT ["new"]', base).Cmd).toEqual(['own']);
  });

  it('history has the values of variables', () => {
    expect(after('ENV A=1\nLABEL x=$A\nMAINTAINER me $A').said).toEqual(['ENV A=1', 'LABEL x=1', 'MAINTAINER me 1']);
    expect(after('MAINTAINER me').state.author).toBe('me');
  });

  it.each([['EXPOSE abc', 'Invalid containerPort: abc'], ['EXPOSE 70000', 'Invalid containerPort'], ['EXPOSE 9-8', 'Invalid containerPort'], ['STOPSIGNAL x y', 'Invalid signal'], ['ENV A="${B:?not there}"', 'B: not there'], ['USER ${', 'bad substitution']])('%s is an error', (lines, message) => {
    expect(() => after(lines)).toThrow(message);
  });
});

describe('mounts of RUN', () => {
  it.each([
    ['type=cache,target=/c', { type: 'cache', target: '/c', id: '/c', readOnly: false, sharing: 'shared' }],
    ['type=cache,dst=/c,id=x,sharing=locked,uid=1,gid=2,mode=0700', { id: 'x', sharing: 'locked', uid: 1, gid: 2, mode: 0o700 }],
    ['target=/m', { type: 'bind', from: '', source: '', readOnly: true }],
    ['type=ssh', { type: 'ssh', id: 'default', target: '/run/buildkit/ssh_agent.0', required: false }],
    ['type=ssh,id=work,target=/agent,required', { id: 'work', target: '/agent', required: true }],
    ['type=bind,from=s,src=/a,target=/m,rw', { from: 's', source: '/a', readOnly: false }],
    ['type=tmpfs,target=/t,size=10m', { sizeBytes: 10 * 1024 * 1024 }],
    ['type=secret,id=k', { target: '/run/secrets/k', id: 'k', required: false }],
    ['type=secret,id=k,env=K,required', { target: '', env: 'K', required: true }],
  ])('%s', (text, expected) => expect(parseRunMount(text, 1)).toMatchObject(expected));
  it.each([['type=cash,target=/x', 'unsupported mount type "cash"'], ['type=cache', 'needs a target'], ['type=bind,tagret=/x', "unexpected key 'tagret'"], ['type=cache,target=/x,sharing=mine', 'unsupported sharing'], ['type=tmpfs,target=/x,size=big', 'invalid value "big" for size'], ['type=cache,target=/x,mode=999', 'invalid value "999" for mode']])('%s is an error', (text, message) => {
    expect(() => parseRunMount(text, 3)).toThrow(message);
  });
});

it('characters that are cut in two wait for their rest', () => {
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
  expect([wholeCharacters(bytes('ab')), wholeCharacters(bytes('é')), wholeCharacters(bytes('aé').slice(0, 2)), wholeCharacters(bytes('€').slice(0, 2)), wholeCharacters(bytes('x😀').slice(0, 4)), wholeCharacters(new Uint8Array([0x80, 0x80, 0x80, 0x80])), wholeCharacters(new Uint8Array(0))]).toEqual([2, 2, 1, 0, 1, 4, 0]);
});
