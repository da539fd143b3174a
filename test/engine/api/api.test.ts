import { describe, expect, it } from 'vitest';
import { humanDuration } from '../../../src/engine/api/container-views.ts';
import { applyChanges } from '../../../src/engine/api/images.ts';
import { createRouter } from '../../../src/engine/api/router.ts';
import { ROUTES } from '../../../src/engine/api/routes.ts';
import { errorAnswer } from '../../../src/engine/api/status.ts';
import { EngineError } from '../../../src/engine/error.ts';
import { createEventBus, matchesEvent } from '../../../src/engine/events/index.ts';
import { parseQuery } from '../../../src/engine/http/index.ts';
import { conmonArguments, parseSyncReport } from '../../../src/engine/runtime/conmon.ts';
import { runtimeFailure } from '../../../src/engine/runtime/runtime-error.ts';

describe('routes', () => {
  const router = createRouter(ROUTES);
  const params = (method: string, path: string) => {
    const match = router.match(method, path);
    return match.kind === 'found' ? match.params : match.kind;
  };
  it('find names with slashes and escapes', () => {
    expect(params('GET', '/images/localhost:5000/a/b:c/json')).toEqual({ name: 'localhost:5000/a/b:c' });
    expect(params('DELETE', '/images/a%2Fb')).toEqual({ name: 'a/b' });
    expect(params('GET', '/images/json')).toEqual({});
    expect(params('HEAD', '/_ping')).toEqual({});
    expect(params('POST', '/containers/web/start')).toEqual({ id: 'web' });
    expect([params('PUT', '/containers/web/start'), params('GET', '/nothing')]).toEqual(['wrong-method', 'unknown']);
  });
});

describe('errors', () => {
  it('have Docker’s statuses, and the hint with them', () => {
    expect(errorAnswer(new EngineError('conflict', 'X', 'taken', { hint: 'rename' }))).toEqual({ status: 409, message: 'taken (rename)', unexpected: false });
    expect(errorAnswer(Object.assign(new Error('x'), { code: 'ENOSPC' }))).toMatchObject({ status: 500, message: expect.stringContaining('no space left') as string });
    expect(errorAnswer('what')).toMatchObject({ status: 500, unexpected: true });
  });

  it('of crun carry the words that clients look for', () => {
    expect(runtimeFailure('x', 'executable file `nope` not found in $PATH: No such file or directory\n').message).toContain('exec: "nope": executable file not found in $PATH: no such file or directory');
    expect(runtimeFailure('x', 'open executable: Permission denied').message).toContain('permission denied');
    expect(runtimeFailure('x', 'cannot mount `proc`: EPERM')).toMatchObject({ kind: 'internal' });
  });
});

describe('queries', () => {
  it('decode, keep order, and read Docker’s booleans', () => {
    const query = parseQuery('a=1&a=2&b=x%20y+z&c&d=false&e=%zz&n=-5&m=1.5');
    expect([query.all('a'), query.get('b'), query.flag('c'), query.flag('d'), query.flag('a'), query.flag('z', true), query.get('e')]).toEqual([['1', '2'], 'x y z', false, false, true, true, '%zz']);
    expect([query.integer('n'), query.integer('m'), query.integer('z')]).toEqual([-5, Number.NaN, undefined]);
  });
});

describe('events', () => {
  it('are kept, ordered, filtered', () => {
    const bus = createEventBus(() => 1_700_000_000_000);
    const seen: string[] = [];
    const stop = bus.subscribe((event) => seen.push(event.Action));
    bus.emit('container', 'start', 'abc', { name: 'web', image: 'x', tier: 'front' });
    bus.emit('container', 'exec_create: ls', 'abc', { name: 'web' });
    stop();
    bus.emit('image', 'tag', 'sha256:1', { name: 'x:1' });
    expect(seen).toEqual(['start', 'exec_create: ls']);
    const [first, second, third] = bus.recent();
    if (first === undefined || second === undefined || third === undefined) throw new Error('events are missing');
    expect(second.timeNano).toBeGreaterThan(first.timeNano);
    const match = (filters: Record<string, string[]>) => bus.recent().map((event) => matchesEvent(event, new Map(Object.entries(filters))));
    expect(match({ type: ['image'] })).toEqual([false, false, true]);
    expect(match({ event: ['exec_create', 'tag'] })).toEqual([false, true, true]);
    expect(match({ container: ['web'], label: ['tier=front'] })).toEqual([true, false, false]);
    expect(match({ nonsense: ['x'] })).toEqual([false, false, false]);
    for (let index = 0; index < 1000; index += 1) bus.emit('daemon', 'x', '', {});
    expect(bus.recent()).toHaveLength(256);
  });
});

describe('durations', () => {
  it.each([
    [0, 'Less than a second'], [1000, '1 second'], [59_000, '59 seconds'], [60_000, 'About a minute'], [125_000, '2 minutes'], [3_600_000, 'About an hour'], [7_200_000, '2 hours'],
    [3 * 86_400_000, '3 days'], [21 * 86_400_000, '3 weeks'], [100 * 86_400_000, '3 months'], [800 * 86_400_000, '2 years'],
  ])('%i ms', (ms, text) => {
    expect(humanDuration(ms)).toBe(text);
  });
});

describe('imports', () => {
  it('apply Dockerfile instructions', () => {
    expect(applyChanges(['CMD ["a","b"]', 'entrypoint run it', 'ENV A=b', 'ENV C d e', 'EXPOSE 80 53/udp', 'LABEL x="y z"', 'WORKDIR /w', 'VOLUME ["/v"]'])).toEqual({
      Cmd: ['a', 'b'], Entrypoint: ['/bin/sh', '-c', 'run it'], Env: ['A=b', 'C=d e'], ExposedPorts: { '80/tcp': {}, '53/udp': {} }, Labels: { x: 'y z' }, WorkingDir: '/w', Volumes: { '/v': {} },
    });
    expect(() => applyChanges(['RUN x'])).toThrow('is not a change');
  });
});

describe('conmon', () => {
  it('is called for a container and for an exec', () => {
    const common = { conmon: '/c', crun: '/r', crunRoot: '/run/crun', containerId: 'id', name: 'n', directory: '/b', exitDirectory: '/x', logPath: '/log', logLimitBytes: undefined, keepStdin: true };
    const container = conmonArguments({ ...common, tty: true, stdin: true, exec: undefined });
    expect(container).toEqual(expect.arrayContaining(['--terminal', '--stdin', '--leave-stdin-open', '--full-attach']));
    expect(container[container.indexOf('--log-path') + 1]).toBe('k8s-file:/log');
    const exec = conmonArguments({ ...common, logPath: undefined, tty: false, stdin: false, exec: { processFile: '/p', attach: true } });
    expect(exec).toEqual(expect.arrayContaining(['--exec', '--exec-process-spec', '/p', '--exec-attach']));
    expect(exec).not.toContain('--stdin');
  });

  it('reports', () => {
    expect(parseSyncReport('{"data": 12}')).toEqual({ pid: 12, message: '' });
    expect(parseSyncReport('{"pid": -1, "message": "no"}')).toEqual({ pid: -1, message: 'no' });
    for (const bad of ['', 'x', '{}', '[]', 'null']) expect(parseSyncReport(bad)).toBeUndefined();
  });
});
