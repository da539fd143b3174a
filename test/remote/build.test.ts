import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { BlobStore, CacheLayout } from '../../src/cache/index.ts';
import type { BuildEvent } from '../../src/model/index.ts';
import { agentCommand, bundleAgent, connectHost, runOnHost, scanTree, type HostConnection, type RemoteRun } from '../../src/remote/index.ts';
import { isRoot, need } from '../support/need.ts';
import { sshServerObstacle, startSshServer, type SshServer } from '../support/ssh-server.ts';

const home = join(import.meta.dirname, '../..');
const obstacle = sshServerObstacle('openssh');
const there = obstacle === null;

/**
 * In osbuild's place on the other host: says what osbuild says, with an artifact of random bytes, a lock that it writes, and a task that
 * can be told to last. So the connection, the agent and the transfer are tested, and no image.
 */
const program = `#!/bin/sh
out=; for word; do [ "$before" = --output ] && out=$word; before=$word; done
echo "$*" > "$OSBUILD_CACHE_DIR/words"
echo '{"type":"plan","machine":"m","tasks":1,"cached":0,"toRun":[{"id":"t","title":"T"}],"concurrency":1}'
echo '{"type":"task-start","id":"t","title":"T"}'
if [ -e "$OSBUILD_CACHE_DIR/last" ]; then
  trap 'echo stopped > "$OSBUILD_CACHE_DIR/stopped"; kill $sleeper; exit 130' TERM
  sleep 567 & sleeper=$!
  echo $$ > "$OSBUILD_CACHE_DIR/pid"; echo "$sleeper" >> "$OSBUILD_CACHE_DIR/pid"
  wait
fi
if [ -e fail ]; then
  echo '{"type":"task-failed","id":"t","title":"T","code":"OSB_COMMAND_FAILED","message":"it failed","log":{"path":"/l","tail":["x"],"command":null}}'
  echo '{"type":"error","code":"OSB_TASK_FAILED","message":"a task failed","hint":"look at it","details":{}}'
  exit 1
fi
mkdir -p "$out" machines/locks
cp "$OSBUILD_CACHE_DIR/artifact" "$out/image.img"
echo resolved > machines/locks/m.lock.json
echo '{"type":"task-done","id":"t","title":"T","cached":false,"durationMs":1}'
printf '{"type":"artifact","machine":"m","path":"%s","sizeBytes":%s,"sha256":"%s"}\\n' "$out/image.img" "$(stat -c %s "$out/image.img")" "$(sha256sum < "$out/image.img" | cut -c1-64)"
`;

let server: SshServer;
let work: string;
let agent: string;
let connection: HostConnection | null = null;
const events: BuildEvent[] = [];
const artifact = randomBytes(3_000_000);
const artifactHash = createHash('sha256').update(artifact).digest('hex');

const local = (...parts: string[]): string => join(work, 'here', ...parts);
const remote = (...parts: string[]): string => join(work, 'there', ...parts);

async function put(path: string, content: string | Buffer, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  await chmod(path, mode);
}

beforeAll(async () => {
  if (!there) return;
  [server, agent] = await Promise.all([startSshServer(), bundleAgent(home)]);
}, 60_000);
afterAll(async () => {
  if (there) await server.close();
});

beforeEach(async (context) => {
  if (!there) context.skip(obstacle ?? '');
  work = await mkdtemp(join(tmpdir(), 'osbuild-remote-'));
  events.length = 0;
  await put(local('program/osbuild'), program, 0o755);
  await put(local('program/package.json'), '{"name":"stand-in","private":true,"version":"1.0.0"}\n');
  await put(local('project/build.config.yaml'), 'base: osbuild\n');
  await put(local('project/recipes/a/files/x'), 'x\n', 0o755);
  await put(local('known_hosts'), `${server.knownHost}\n`);
  await put(remote('artifact'), artifact);
});
afterEach(async () => {
  connection?.close();
  connection = null;
  if (there) await rm(work, { recursive: true, force: true });
});

const connectTo = (changes: { knownHosts?: string[]; identities?: string[]; port?: number } = {}): Promise<HostConnection> =>
  connectHost({ host: '127.0.0.1', port: changes.port ?? server.port, user: server.user }, { knownHosts: changes.knownHosts ?? [local('known_hosts')], identities: changes.identities ?? [server.identity] }, new AbortController().signal);

async function build(options: { signal?: AbortSignal; silenceMs?: number } = {}): Promise<RemoteRun> {
  connection = await connectTo();
  const layout = new CacheLayout(local('cache'));
  return runOnHost({
    connection,
    agent,
    cache: remote(),
    program: await scanTree(local('program'), ''),
    project: { ...(await scanTree(local('project'), '')), folder: '.' },
    words: ['image', '--machine', 'm'],
    environment: {},
    blobs: new BlobStore(layout),
    layout,
    emit: (event) => void events.push(event),
    say: () => undefined,
    signal: options.signal ?? new AbortController().signal,
    ...(options.silenceMs === undefined ? {} : { silenceMs: options.silenceMs }),
  });
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; !(await holds()); attempt++) {
    if (attempt === 600) throw new Error('it never came to that');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Processes of the build there that still run. */
const running = (): string[] =>
  readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return words.includes(remote()) && Number(pid) !== process.pid ? [words.replaceAll('\0', ' ')] : [];
    } catch {
      return [];
    }
  });

const sentBytes = (): number => Math.max(0, ...events.flatMap((event) => (event.type === 'task-progress' && event.id === 'remote/send' ? [event.done] : [])));

describe('a build on another host', { timeout: 120_000 }, () => {
  test('is seen here, and what it made arrives whole', async () => {
    const { artifacts, changed } = await build();
    expect(artifacts).toEqual([{ machine: 'm', fileName: 'image.img', blob: { sha256: artifactHash, sizeBytes: artifact.length } }]);
    expect(artifact.equals(await readFile(new CacheLayout(local('cache')).blob(artifactHash)))).toBe(true);
    expect(changed).toMatchObject([{ path: 'machines/locks/m.lock.json' }]);
    expect(await readFile(new CacheLayout(local('cache')).blob(changed[0]?.blob.sha256 ?? ''), 'utf8')).toBe('resolved\n');
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['plan', 'task-start', 'task-progress', 'task-done']));
    expect(await readFile(remote('words'), 'utf8')).toMatch(/^image --machine m --json -C .* --output /);
    connection?.close();
    await until(() => running().length === 0);
    expect(await readdir(remote('remote/runs'))).toEqual([]);
  });

  test('a second one sends nothing, and fetches nothing; a changed file is sent alone', async () => {
    await build();
    expect(sentBytes()).toBeGreaterThan(0);
    connection?.close();
    events.length = 0;
    await build();
    expect(sentBytes()).toBe(0);
    connection?.close();
    await put(local('project/recipes/a/files/x'), 'other\n');
    await build();
    expect(sentBytes()).toBe(6);
  });

  test('its failure is our failure, and its log is said to be there', async () => {
    await put(local('project/fail'), '');
    await expect(build()).rejects.toMatchObject({ code: 'OSB_TASK_FAILED', message: 'a task failed', hint: 'look at it' });
    expect(events.find(({ type }) => type === 'task-failed')).toMatchObject({ log: { path: `${connection?.name}:/l` } });
  });

  test('packages that cannot be installed there', async () => {
    await put(local('program/package.json'), '{"name":"stand-in","private":true,"version":"1.0.0","dependencies":{"nothing":"file:./nothing/at/all.tgz"}}\n');
    await expect(build()).rejects.toMatchObject({ code: 'OSB_REMOTE_HOST', message: expect.stringMatching(/npm on .* could not install osbuild's packages: .*ENOENT/s) });
    connection?.close();
    await until(() => running().length === 0);
    expect(await readdir(remote('remote/modules'))).toEqual([]);
  });

  test('a transfer that was cut off is gone on with, and a damaged part is not believed', async () => {
    const part = new CacheLayout(local('cache')).partial(artifactHash);
    await put(part, artifact.subarray(0, 2_000_000));
    await build();
    const fetched = events.flatMap((event) => (event.type === 'task-progress' && event.id === 'remote/fetch' ? [event.done] : []));
    expect(fetched[0]).toBeGreaterThan(2_000_000);
    connection?.close();
    await rm(local('cache'), { recursive: true });
    await put(part, Buffer.alloc(2_000_000));
    expect((await build()).artifacts[0]?.blob.sha256).toBe(artifactHash);
  });

  test('a file that was damaged there is sent again', async () => {
    await build();
    connection?.close();
    const { digest } = await scanTree(local('project'), '');
    await put(remote('remote/trees', digest, 'recipes/a/files/x'), 'edited there\n');
    await build();
    expect(await readFile(remote('remote/trees', digest, 'recipes/a/files/x'), 'utf8')).toBe('x\n');
    expect(((await stat(remote('remote/trees', digest, 'recipes/a/files/x'))).mode & 0o777).toString(8)).toBe('755');
  });
});

describe('a full disk', { timeout: 120_000 }, () => {
  const small = async (folder: string, options: string): Promise<void> => {
    await mkdir(folder, { recursive: true });
    await execa('mount', ['-t', 'tmpfs', '-o', options, 'small', folder]);
  };
  beforeEach((context) => need(context, isRoot, 'mounting a small disk wants root'));
  afterEach(() => Promise.all([remote(), local('cache')].map((folder) => execa('umount', [folder], { reject: false }))));

  test('too little room there: nothing is sent', async () => {
    await small(remote(), 'size=100m');
    await expect(build()).rejects.toMatchObject({ code: 'OSB_REMOTE_HOST', message: expect.stringMatching(/lacks disk space: 0\.1 GB free for .*there, wanted are 5 GB/) });
    expect(await readdir(remote())).toEqual([]);
  });

  test('it fills up there while the project arrives: the next run goes on', async () => {
    await small(remote(), 'size=6g,nr_inodes=10');
    await put(remote('artifact'), artifact);
    await expect(build()).rejects.toMatchObject({ code: 'OSB_DISK_FULL', message: expect.stringMatching(/^no space left on the disk of /), hint: expect.stringContaining('goes on') });
    connection?.close();
    await until(() => running().length === 0);
    await execa('mount', ['-o', 'remount,nr_inodes=1000', remote()]);
    expect((await build()).artifacts[0]?.blob.sha256).toBe(artifactHash);
  });

  test('it fills up here while the image arrives: the next run goes on', async () => {
    await small(local('cache'), 'size=2m');
    await expect(build()).rejects.toMatchObject({ code: 'OSB_DISK_FULL', hint: expect.stringContaining('the next run goes on from here') });
    connection?.close();
    await execa('mount', ['-o', 'remount,size=16m', local('cache')]);
    events.length = 0;
    expect((await build()).artifacts[0]?.blob.sha256).toBe(artifactHash);
    const fetched = events.flatMap((event) => (event.type === 'task-progress' && event.id === 'remote/fetch' ? [event.done] : []));
    expect(fetched[0]).toBeGreaterThan(1_000_000);
  });
});

test('the command fits into what dropbear takes of one', async () => {
  expect(agentCommand(await bundleAgent(home), ['probe', 'x'.repeat(200)]).length).toBeLessThan(9000);
});

describe('a build that does not come to its end', { timeout: 120_000 }, () => {
  const started = (): Promise<void> => until(() => existsSync(remote('pid')) && readFileSync(remote('pid'), 'utf8').trim().split('\n').length === 2);
  const gone = (): boolean => readFileSync(remote('pid'), 'utf8').trim().split('\n').every((pid) => !existsSync(`/proc/${pid}`));
  beforeEach(() => put(remote('last'), ''));

  test('the connection breaks: it is said, the build there ends, and the next one works', async () => {
    const ended = build();
    ended.catch(() => undefined);
    await started();
    server.drop();
    await expect(ended).rejects.toMatchObject({ code: 'OSB_REMOTE_HOST', message: expect.stringContaining('was lost'), hint: expect.stringContaining('goes on') });
    await until(gone);
    expect(existsSync(remote('stopped'))).toBe(true);
    await until(() => running().length === 0);
    await rm(remote('last'));
    connection = null;
    expect((await build()).artifacts).toHaveLength(1);
  });

  test('the line goes dead without a word: the build there ends by itself', async () => {
    const ended = build({ silenceMs: 1000 });
    ended.catch(() => undefined);
    await started();
    server.freeze();
    await until(gone);
    await until(() => running().length === 0);
    server.drop();
    await expect(ended).rejects.toMatchObject({ code: 'OSB_REMOTE_HOST' });
  });

  test('cancelled: the build there is stopped before we hang up', async () => {
    const abort = new AbortController();
    const ended = build({ signal: abort.signal });
    ended.catch(() => undefined);
    await started();
    abort.abort();
    await expect(ended).rejects.toMatchObject({ code: 'OSB_CANCELLED' });
    expect(existsSync(remote('stopped'))).toBe(true);
    // Dead by now, but perhaps not yet waited for by whoever inherits the dead.
    await until(gone);
  });
});

test('after the connection broke nothing is started, and that is why', { timeout: 60_000 }, async () => {
  connection = await connectTo();
  server.drop();
  await expect(connection.lost).rejects.toMatchObject({ code: 'OSB_REMOTE_HOST' });
  await expect(connection.start('true')).rejects.toMatchObject({ code: 'OSB_REMOTE_HOST', message: expect.stringContaining('was lost') });
});

describe('a host that is not let in, or does not let us in', { timeout: 60_000 }, () => {
  test('its key is not known', async () => {
    await expect(connectTo({ knownHosts: [] })).rejects.toMatchObject({ code: 'OSB_REMOTE_HOST', message: expect.stringMatching(/is not known: ssh-ed25519 SHA256:/), details: { fingerprint: expect.stringMatching(/^SHA256:/) } });
  });

  test('its key is another one', async () => {
    const [names, type] = server.knownHost.split(' ');
    const other = `${names} ${type} AAAAC3NzaC1lZDI1NTE5AAAAIL0bIblaiCWneIzlTjiJ9yFlIc1+gW8mvA8HBksAq6Uj\n`;
    await put(local('known_hosts'), `# first line\n${other}`);
    await expect(connectTo()).rejects.toMatchObject({ code: 'OSB_REMOTE_HOST', message: expect.stringContaining('has in line 2'), hint: expect.stringContaining('ssh-keygen -R') });
  });

  test('our key is not authorized, there is none, or it has a passphrase', async () => {
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', local('stranger')]);
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', local('locked')]);
    await expect(connectTo({ identities: [local('stranger')] })).rejects.toMatchObject({ message: expect.stringContaining('does not let us in') });
    await expect(connectTo({ identities: [local('nothing')] })).rejects.toMatchObject({ message: expect.stringContaining('no key to log in') });
    await expect(connectTo({ identities: [local('locked')] })).rejects.toMatchObject({ hint: expect.stringContaining('locked') });
  });

  test('nothing listens there', async () => {
    const { freePort } = await import('../../src/device/free-port.ts');
    const port = await freePort();
    await put(local('known_hosts'), server.knownHost);
    await expect(connectTo({ port })).rejects.toMatchObject({ message: expect.stringContaining('nothing listens there') });
  });
});
