import { describe, expect, it } from 'vitest';
import { containerCapabilities, parseBoundingSet } from '../../../src/engine/containers/capabilities.ts';
import { createDetachDetector, parseDetachKeys } from '../../../src/engine/containers/detach-keys.ts';
import { dockerTime, logBound, renderLog } from '../../../src/engine/containers/log-lines.ts';
import { commandLine, mergeImage } from '../../../src/engine/containers/merge-image.ts';
import { cleanPath, parseBind, planMounts } from '../../../src/engine/containers/mount-plan.ts';
import { borrowMounts, parseVolumesFrom } from '../../../src/engine/containers/volumes-from.ts';
import { checkContainerName, inventName } from '../../../src/engine/containers/names.ts';
import { parseCreateRequest } from '../../../src/engine/containers/parse-create.ts';
import { nextRestartDelayMs, shouldRestart, startsWithDaemon } from '../../../src/engine/containers/restart-policy.ts';
import { findMounts, overlayOptions } from '../../../src/engine/containers/rootfs.ts';
import { parseSignal } from '../../../src/engine/containers/signals.ts';
import { resolveUser } from '../../../src/engine/containers/users.ts';

const create = (body: object) => parseCreateRequest({ Image: 'x', ...body });

describe('create requests', () => {
  it('get every default', () => {
    const { config, hostConfig } = create({});
    expect(config).toMatchObject({ Env: [], Cmd: null, Tty: false, Labels: {} });
    expect(hostConfig).toMatchObject({ NetworkMode: 'default', ShmSize: 67108864, RestartPolicy: { Name: 'no', MaximumRetryCount: 0 }, LogConfig: { Type: 'json-file' } });
  });

  it('take a command as text', () => {
    expect(create({ Cmd: 'true', Entrypoint: ['a', 'b'] }).config).toMatchObject({ Cmd: ['true'], Entrypoint: ['a', 'b'] });
  });

  it.each([
    [{ Env: 'A=b' }, 'config.Env must be a list of strings'],
    [{ Tty: 1 }, 'config.Tty must be a boolean'],
    [{ HostConfig: { Memory: 'much' } }, 'HostConfig.Memory must be a whole number'],
    [{ HostConfig: { Memory: 1000 } }, 'Minimum memory limit'],
    [{ HostConfig: { RestartPolicy: { Name: 'sometimes' } } }, "unknown policy 'sometimes'"],
    [{ HostConfig: { AutoRemove: true, RestartPolicy: { Name: 'always' } } }, 'AutoRemove'],
    [{ HostConfig: { NanoCpus: 1, CpuQuota: 1 } }, 'Conflicting options'],
    [{ HostConfig: { LogConfig: { Type: 'gelf' } } }, "no log driver named 'gelf'"],
    [{ HostConfig: { Mounts: [{ Type: 'bind', Source: 'x', Target: '/y' }] } }, 'mount path must be absolute'],
    [{ WorkingDir: 'here' }, 'needs to be an absolute path'],
    [{ Hostname: 'a b' }, 'invalid hostname'],
    [{ ExposedPorts: { '70000/tcp': {} } }, 'invalid port'],
  ])('%j is refused: %s', (body, message) => {
    expect(() => create(body)).toThrow(message);
  });
});

describe('a container over its image', () => {
  const image = { Env: ['A=image', 'B=image'], Entrypoint: ['/entry'], Cmd: ['default'], WorkingDir: '/w', User: 'u', Labels: { a: '1', b: '1' }, Volumes: { '/v': {} }, ExposedPorts: { '80/tcp': {} } };
  it('keeps what it says and takes the rest', () => {
    const merged = mergeImage(create({ Env: ['A=own'], Labels: { b: '2' } }).config, image);
    expect(merged).toMatchObject({ Env: ['A=own', 'B=image'], Entrypoint: ['/entry'], Cmd: ['default'], WorkingDir: '/w', User: 'u', Labels: { a: '1', b: '2' }, Volumes: { '/v': {} } });
    expect(commandLine(merged)).toEqual(['/entry', 'default']);
  });

  it('follows Docker’s rules of entrypoint and command', () => {
    const argv = (body: object) => commandLine(mergeImage(create(body).config, image));
    expect(argv({ Cmd: ['own'] })).toEqual(['/entry', 'own']);
    expect(argv({ Entrypoint: ['/own'] })).toEqual(['/own']);
    expect(argv({ Entrypoint: ['/own'], Cmd: ['x'] })).toEqual(['/own', 'x']);
    expect(argv({ Entrypoint: [''], Cmd: ['x'] })).toEqual(['x']);
    expect(() => commandLine(mergeImage(create({}).config, {}))).toThrow('no command specified');
  });
});

describe('mounts', () => {
  const host = (body: object) => create({ HostConfig: body }).hostConfig;
  it('are planned parents first, the explicit one winning', () => {
    const plan = planMounts(host({ Binds: ['/h:/b/c:ro', 'vol:/a'], Tmpfs: { '/b': 'size=1m' } }), ['/a', '/z']);
    expect(plan.map(({ type, destination, readOnly, name, anonymous }) => [type, destination, readOnly, name, anonymous])).toEqual([
      ['volume', '/a', false, 'vol', false], ['tmpfs', '/b', false, '', false], ['bind', '/b/c', true, '', false], ['volume', '/z', false, '', true],
    ]);
  });

  it.each(['/x', 'a:b', '/a:/b:exotic', '/a:/b:ro:z', 'bad name:/x', '../x:/y', ':/x'])('refuse %j', (bind) => {
    expect(() => parseBind(bind)).toThrow(/invalid|includes/);
  });

  it('are borrowed from other containers, below what is asked for and above the image’s', () => {
    const theirs = planMounts(host({ Binds: ['/h:/a', 'vol:/b:ro', '/h:/own'], Tmpfs: { '/t': '' } }), ['/c']);
    const plan = planMounts(host({ Binds: ['mine:/own'] }), ['/b', '/z'], [...borrowMounts([{ ...parseBind('old:/a'), anonymous: false }], ''), ...borrowMounts(theirs, ''), ...borrowMounts(planMounts(host({ Binds: ['late:/c'] }), []), 'ro')]);
    expect(plan.map(({ type, destination, readOnly, name, source, copyUp }) => [type, destination, readOnly, name, source, copyUp])).toEqual([
      ['bind', '/a', false, '', '/h', false], ['volume', '/b', true, 'vol', '', false], ['volume', '/c', true, 'late', '', false], ['volume', '/own', false, 'mine', '', true], ['volume', '/z', false, '', '', true],
    ]);
    expect(parseVolumesFrom('web:ro')).toEqual({ container: 'web', mode: 'ro' });
    for (const text of ['', ':ro', 'web:exotic', 'a:b:c']) expect(() => parseVolumesFrom(text)).toThrow('invalid');
  });

  it('refuse the root and doubles', () => {
    expect(() => planMounts(host({ Binds: ['/a:/'] }), [])).toThrow("destination can't be '/'");
    expect(() => planMounts(host({ Binds: ['/a:/x', '/b:/x/'] }), [])).toThrow('Duplicate mount point: /x');
    expect(cleanPath('/a/./b//../c/')).toBe('/a/c');
  });
});

describe('capabilities', () => {
  const all = (1n << 41n) - 1n;
  it('are Docker’s defaults, more or less', () => {
    expect(containerCapabilities(false, [], [], all)).toHaveLength(14);
    expect(containerCapabilities(false, ['sys_admin'], ['CAP_CHOWN'], all)).toEqual(expect.arrayContaining(['CAP_SYS_ADMIN']));
    expect(containerCapabilities(false, ['NET_ADMIN'], ['ALL'], all)).toEqual(['CAP_NET_ADMIN']);
    expect(containerCapabilities(true, [], ['CHOWN'], all)).toHaveLength(41);
    expect(() => containerCapabilities(false, ['FLY'], [], all)).toThrow('unknown capability: "CAP_FLY"');
  });

  it('never exceed what the engine has', () => {
    expect(containerCapabilities(true, [], [], parseBoundingSet('CapBnd:\t0000000000000003\n'))).toEqual(['CAP_CHOWN', 'CAP_DAC_OVERRIDE']);
  });
});

describe('users', () => {
  const passwd = 'root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:\nbad line\n100:x:5:5::/five:\n';
  const group = 'root:x:0:\nwheel:x:10:app,root\n';
  it.each([
    ['', { uid: 0, gid: 0, groups: [0, 10], home: '/root' }],
    ['app', { uid: 1000, gid: 1001, groups: [1001, 10], home: '/home/app' }],
    ['1000', { uid: 1000, gid: 1001, groups: [1001, 10], home: '/home/app' }],
    ['100', { uid: 5, gid: 5, groups: [5], home: '/five' }],
    ['4000', { uid: 4000, gid: 0, groups: [0], home: '/' }],
    ['app:wheel', { uid: 1000, gid: 10, groups: [10], home: '/home/app' }],
    ['7:8', { uid: 7, gid: 8, groups: [8], home: '/' }],
  ])('%j', (text, expected) => {
    expect(resolveUser(text, [], passwd, group)).toEqual(expected);
  });
  it('unknown ones are refused', () => {
    expect(() => resolveUser('ghost', [], passwd, group)).toThrow('unable to find user ghost');
    expect(() => resolveUser('app:ghosts', [], passwd, group)).toThrow('unable to find group ghosts');
    expect(() => resolveUser('99999999999', [], passwd, group)).toThrow('unable to find user');
  });
});

describe('restart policies', () => {
  const policy = (Name: 'no' | 'always' | 'unless-stopped' | 'on-failure', MaximumRetryCount = 0) => ({ Name, MaximumRetryCount });
  it('decide after an end', () => {
    const decide = (name: Parameters<typeof policy>[0], exitCode: number, stoppedByUser = false, restartCount = 0, retries = 0) => shouldRestart({ policy: policy(name, retries), exitCode, stoppedByUser, restartCount });
    expect([decide('no', 1), decide('always', 0), decide('always', 0, true), decide('unless-stopped', 0), decide('on-failure', 0), decide('on-failure', 1)]).toEqual([false, true, false, true, false, true]);
    expect([decide('on-failure', 1, false, 2, 3), decide('on-failure', 1, false, 3, 3)]).toEqual([true, false]);
  });

  it('decide when the daemon starts', () => {
    expect([startsWithDaemon(policy('always'), true, false, 0), startsWithDaemon(policy('unless-stopped'), true, true, 0), startsWithDaemon(policy('unless-stopped'), false, false, 0)]).toEqual([true, false, true]);
    expect([startsWithDaemon(policy('on-failure'), false, true, 255), startsWithDaemon(policy('on-failure'), false, false, 1), startsWithDaemon(policy('no'), false, true, 255)]).toEqual([true, false, false]);
  });

  it('wait longer each time, up to a minute, until a run was sound', () => {
    const delays = Array.from({ length: 12 }).reduce<number[]>((list) => [...list, nextRestartDelayMs(list.at(-1) ?? 0, 50)], []);
    expect(delays.slice(0, 4)).toEqual([100, 200, 400, 800]);
    expect(delays.at(-1)).toBe(60_000);
    expect(nextRestartDelayMs(60_000, 10_000)).toBe(100);
  });
});

describe('logs', () => {
  const log = Buffer.from('2026-01-02T03:04:05.000000001+00:00 stdout F one\n2026-01-02T03:04:06.000000002+00:00 stderr F bad\n2026-01-02T03:04:07.000000003+00:00 stdout P par\n2026-01-02T03:04:08.000000004+00:00 stdout F t\nrubbish\n2026-01-0');
  const filter = { stdout: true, stderr: true, timestamps: false, since: '', until: '', raw: true };
  const text = (changes: Partial<typeof filter>) => Buffer.concat(renderLog(new Uint8Array(log), { ...filter, ...changes }).pieces).toString('latin1');

  it('join parts, choose streams and leave an unfinished line for later', () => {
    expect(text({})).toBe('one\nbad\npart\n');
    expect(text({ stderr: false })).toBe('one\npart\n');
    expect(renderLog(new Uint8Array(log), filter).usedBytes).toBe(log.length - '2026-01-0'.length);
  });

  it('frame, stamp and bound', () => {
    expect(text({ raw: false, stdout: false })).toBe('\x02\0\0\0\0\0\0\x04bad\n');
    expect(text({ stdout: false, timestamps: true })).toBe('2026-01-02T03:04:06.000000002Z bad\n');
    expect(text({ since: '2026-01-02T03:04:06.000000002Z' })).toBe('bad\npart\n');
    expect(text({ until: '2026-01-02T03:04:06.500000000Z' })).toBe('one\nbad\n');
  });

  it('know Docker’s times', () => {
    expect(dockerTime('2026-01-02T03:04:05.123456789+02:00')).toBe('2026-01-02T01:04:05.123456789Z');
    expect(logBound('1700000000.5')).toBe('2023-11-14T22:13:20.500000000Z');
    expect(logBound('2023-11-14T22:13:20Z')).toBe('2023-11-14T22:13:20.000000000Z');
    expect([logBound(undefined), logBound('0'), logBound('yesterday')]).toEqual(['', '', undefined]);
  });
});

describe('small things', () => {
  it('detach keys are found across pieces, and held back no longer than needed', () => {
    const detector = createDetachDetector(parseDetachKeys('ctrl-p,ctrl-q'));
    const feed = (...bytes: number[]) => {
      const { pass, detached } = detector.feed(Uint8Array.from(bytes));
      return [[...pass], detached];
    };
    expect(feed(97, 16)).toEqual([[97], false]);
    expect(feed(98)).toEqual([[16, 98], false]);
    expect(feed(16)).toEqual([[], false]);
    expect(feed(17, 99)).toEqual([[], true]);
    expect(() => parseDetachKeys('ctrl-')).toThrow('Invalid detach keys');
  });

  it('signals', () => {
    expect([parseSignal('SIGTERM'), parseSignal('kill'), parseSignal('1'), parseSignal('RTMIN+3')]).toEqual([15, 9, 1, 37]);
    for (const bad of ['', '0', '99', 'SIGNOTHING']) expect(() => parseSignal(bad)).toThrow('invalid signal');
  });

  it('names', () => {
    expect(checkContainerName('/web-1')).toBe('web-1');
    for (const bad of ['', 'x', '-a', 'a b', 'a/b']) expect(() => checkContainerName(bad)).toThrow('Invalid container name');
    const taken = new Set<string>();
    for (let index = 0; index < 2000; index += 1) {
      const name = inventName((candidate) => taken.has(candidate), () => Math.floor(Math.random() * 2 ** 32).toString(16).padStart(8, '0'));
      expect(taken.has(name)).toBe(false);
      taken.add(name);
    }
  });

  it('overlay options stay within a page', () => {
    const folders = (count: number) => Array.from({ length: count }, (_, index) => `sha256:${index}`);
    expect(overlayOptions(['sha256:a', 'sha256:b'], '/c', (id) => id.slice(7))).toBe('lowerdir=b/diff:a/diff,upperdir=/c/upper,workdir=/c/work');
    expect(overlayOptions(['sha256:a', 'sha256:b', 'sha256:a', 'sha256:c', 'sha256:b'], '/c', (id) => id.slice(7))).toContain('lowerdir=b/diff:c/diff:a/diff,');
    expect(overlayOptions([], '/c', () => undefined)).toContain('lowerdir=/c/empty,');
    const folder = `/var/lib/minke/containers/${'0'.repeat(64)}`;
    expect(overlayOptions(folders(125), folder, () => '0123456789abcdef').length).toBeLessThan(4096);
    expect(() => overlayOptions(['x'], '/c', () => undefined)).toThrow('is missing from the store');
  });

  it('mounts of ours are found', () => {
    const info = '36 25 0:32 / /var/lib/minke/containers/abc/rootfs rw - overlay overlay rw\n37 25 0:33 / /var/lib/minke/containers/a\\040b/rootfs rw - x x x\n38 25 0:3 / /mnt rw - x x x\n';
    expect([...findMounts(info, '/var/lib/minke/containers')]).toEqual(['abc', 'a b']);
  });
});
