// A device as far as deploys see it: an engine, its keeper of applications and an SSH server beside them, all of them the real ones.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';

import { deploy, openDevice, readDeployment, type Deployed, type Device } from '../../src/deploy/index.ts';
import type { BuildEvent } from '../../src/model/index.ts';
import { connectHost, type HostConnection } from '../../src/remote/index.ts';
import { describeLab } from '../engine/support/describe-lab.ts';
import { prepareKeeper, type Keeper } from '../engine/support/keeper.ts';
import { labFile, waitFor, type Lab } from '../engine/support/lab.ts';
import { sshServerObstacle, startSshServer, type SshServer, type SshServerKind } from '../support/ssh-server.ts';

const slowMs = 300_000;

interface Project {
  folder: string;
  put(files: Record<string, string>): void;
}

interface Bench {
  server: SshServer;
  keeper: Keeper;
  connect(): Promise<HostConnection>;
  close(): Promise<void>;
}

/** The SSH server sees the folders of the device; `minke` there speaks with the engine of the lab. */
async function openBench(lab: Lab, kind: SshServerKind): Promise<Bench> {
  const keeper = prepareKeeper(lab, { patienceMs: slowMs });
  keeper.start();
  const program = labFile(lab, 'bin/minke', `#!/bin/sh\nexport DOCKER_HOST=unix://${lab.socket} DOCKER_CONFIG=${lab.folder}\nexec ${process.env['OSBUILD_ENGINE_BINARY']} "$@"\n`);
  await execa('chmod', ['0755', program, lab.folder]);
  const server = await startSshServer({ kind, path: [dirname(program)], enter: ['nsenter', '-t', String(lab.daemonPid()), '-m', '--'] });
  const knownHosts = labFile(lab, 'known_hosts', `${server.knownHost}\n`);
  return {
    server,
    keeper,
    connect: () => connectHost({ host: '127.0.0.1', port: server.port, user: server.user }, { knownHosts: [knownHosts], identities: [server.identity] }, new AbortController().signal),
    async close() {
      await keeper.kill('SIGTERM');
      keeper.close();
      await server.close();
    },
  };
}

function openProject(): Project {
  const folder = mkdtempSync(join(tmpdir(), 'osbuild-deploy-'));
  return {
    folder,
    put: (files) => {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), text);
      }
    },
  };
}

const dockerfile = 'FROM busybox:lab\nRUN echo made >/made\nCOPY page /page\nCMD ["sh", "-c", "cat /page; exec sleep 100000"]\n';
const compose = `services:
  web: { build: ./web, init: true, stop_grace_period: 0s, restart: always, environment: ["COLOUR=\${COLOUR:-green}"], volumes: ["./conf:/conf:ro"] }
  side: { image: busybox:lab, init: true, stop_grace_period: 0s, command: sleep 100000, restart: always }
`;

describeLab('a deploy', (lab) => {
  let bench: Bench;
  let project: Project;
  let connection: HostConnection;
  let device: Device | null = null;
  const events: BuildEvent[] = [];

  beforeAll(async () => {
    bench = await openBench(lab, 'openssh');
    project = openProject();
    project.put({ 'compose.yaml': compose, 'web/Dockerfile': dockerfile, 'web/page': 'first\n', 'web/.dockerignore': 'notes\n', 'web/notes': 'x', conf: 'one\n', '.env': 'COLOUR=blue\n' });
  }, slowMs);
  afterAll(async () => {
    await bench.close();
    rmSync(project.folder, { recursive: true, force: true });
  }, slowMs);
  beforeEach(async () => {
    events.length = 0;
    // Whatever the test before was about.
    project.put({ 'compose.yaml': compose, 'web/Dockerfile': dockerfile });
    connection = await bench.connect();
  });
  afterEach(async () => {
    device?.unlock();
    device = null;
    connection.close();
  });

  const run = async (options: { signal?: AbortSignal; on?: Device } = {}): Promise<Deployed> => {
    const signal = options.signal ?? new AbortController().signal;
    const deployment = readDeployment(join(project.folder, 'compose.yaml'));
    device ??= options.on ?? (await openDevice(connection, signal));
    return deploy({ device, deployment, pull: false, emit: (event) => void events.push(event), signal, patienceMs: slowMs });
  };
  const idOf = (name: string): string => lab.ok('inspect', '-f', '{{.Id}}', name);
  const inWeb = (...words: string[]): string => lab.ok('exec', 'apps-web-1', ...words);

  it('builds there, puts the file in force and says what runs', { timeout: slowMs }, async () => {
    const { built, status } = await run();
    expect(built).toEqual(['web']);
    expect(status).toMatchObject({ file: '/mnt/data/apps/compose.yaml', problems: [], services: [{ name: 'side', state: 'running' }, { name: 'web', state: 'running', image: expect.stringMatching(/^osbuild-deploy\/web:[0-9a-f]{24}$/) }] });
    expect(inWeb('sh', '-c', 'cat /page /made /conf; echo $COLOUR')).toBe('first\nmade\none\nblue');
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['task-start', 'task-progress', 'task-done']));
    expect(lab.run(['ls', '-A', '/mnt/data/apps']).stdout.split('\n').filter(Boolean)).toEqual(['.env', '.osbuild-deploy.list', 'compose.yaml', 'conf']);
  });

  it('again, with nothing changed, builds and changes nothing', { timeout: slowMs }, async () => {
    const before = [idOf('apps-web-1'), idOf('apps-side-1')];
    // What is ignored is no change, and what only has another time neither.
    project.put({ 'web/notes': 'other', 'web/page': 'first\n' });
    expect((await run()).built).toEqual([]);
    expect(events).toEqual([]);
    expect([idOf('apps-web-1'), idOf('apps-side-1')]).toEqual(before);
  });

  it('a changed file makes its service anew, of what is cached, and no other one; what it was made of before goes', { timeout: slowMs }, async () => {
    const [web, side] = [idOf('apps-web-1'), idOf('apps-side-1')];
    const old = lab.ok('inspect', '-f', '{{.Config.Image}}', 'apps-web-1');
    project.put({ 'web/page': 'second\n' });
    const made = lab.ok('exec', 'apps-web-1', 'stat', '-c', '%Y', '/made');
    expect((await run()).built).toEqual(['web']);
    expect(idOf('apps-web-1')).not.toBe(web);
    expect(idOf('apps-side-1')).toBe(side);
    expect(inWeb('cat', '/page')).toBe('second');
    expect(inWeb('stat', '-c', '%Y', '/made')).toBe(made);
    const images = lab.ok('images', '--format', '{{.Repository}}:{{.Tag}}').split('\n');
    expect(images).not.toContain(old);
    expect(images.filter((name) => name.startsWith('osbuild-deploy/'))).toHaveLength(2);
  });

  it('a mounted file that changed is seen by its service; files that the compose file no longer names go', { timeout: slowMs }, async () => {
    project.put({ conf: 'two\n' });
    expect((await run()).built).toEqual([]);
    expect(inWeb('cat', '/conf')).toBe('two');
    project.put({ 'compose.yaml': compose.replace(', volumes: ["./conf:/conf:ro"]', '') });
    await run();
    expect(lab.run(['ls', '/mnt/data/apps']).stdout).toBe('compose.yaml\n');
  });

  it('a wrong compose file is refused before anything is sent', { timeout: slowMs }, async () => {
    const before = lab.run(['cat', '/mnt/data/apps/compose.yaml']).stdout;
    const asked: PropertyKey[] = [];
    const on = new Proxy({} as Device, { get: (_, name) => (asked.push(name), () => undefined) });
    for (const [wrong, why] of [[compose.replace('restart', 'restrat'), 'services.web.restrat'], ['services: [\n', '[ is not closed'], [compose.replace('./web', './nowhere'), 'there is no folder']] as const) {
      project.put({ 'compose.yaml': wrong });
      await expect(run({ on })).rejects.toMatchObject({ code: 'OSB_CONFIG_INVALID', message: expect.stringContaining(why) });
    }
    expect(asked.filter((name) => name !== 'unlock')).toEqual([]);
    expect(lab.run(['cat', '/mnt/data/apps/compose.yaml']).stdout).toBe(before);
  });

  it('a build that fails names its step and what it said, and what ran before still runs', { timeout: slowMs }, async () => {
    const before = [idOf('apps-web-1'), lab.run(['cat', '/mnt/data/apps/compose.yaml']).stdout];
    project.put({ 'web/Dockerfile': `${dockerfile}RUN echo this is why >&2; exit 3\n`, 'web/page': 'third\n' });
    await expect(run()).rejects.toMatchObject({ code: 'OSB_TASK_FAILED', message: expect.stringMatching(/^the image of web could not be built: Step 5\/5 : RUN echo this is why.*this is why.*3/s), hint: expect.stringContaining('still runs') });
    expect([idOf('apps-web-1'), lab.run(['cat', '/mnt/data/apps/compose.yaml']).stdout]).toEqual(before);
    expect(lab.ok('inspect', '-f', '{{.State.Running}}', 'apps-web-1')).toBe('true');
    project.put({ 'web/Dockerfile': dockerfile });
    expect((await run()).built).toEqual(['web']);
    expect(inWeb('cat', '/page')).toBe('third');
  });

  it('a service that fails is told with its last words', { timeout: slowMs }, async () => {
    project.put({ 'compose.yaml': compose.replace('command: sleep 100000', 'command: ["sh", "-c", "echo my last words; exit 7"]') });
    await expect(run()).rejects.toMatchObject({ code: 'OSB_TASK_FAILED', message: expect.stringMatching(/something is wrong:\nside: .*\n(.*\n)* {2}my last words/) });
    project.put({ 'compose.yaml': compose });
    expect((await run()).status.services.map(({ state }) => state)).toEqual(['running', 'running']);
  });

  it('a connection that breaks in the middle of a build changes nothing, and the same again works', { timeout: slowMs }, async () => {
    const before = idOf('apps-web-1');
    project.put({ 'web/Dockerfile': dockerfile.replace('echo made', 'echo started >/started; sleep 20; echo made') });
    const ended = run();
    ended.catch(() => undefined);
    await waitFor(() => events.some((event) => event.type === 'task-progress' && event.done === 1), slowMs);
    bench.server.drop();
    await expect(ended).rejects.toMatchObject({ code: 'OSB_REMOTE_HOST', message: expect.stringContaining('was lost') });
    expect(idOf('apps-web-1')).toBe(before);
    device = null;
    connection = await bench.connect();
    project.put({ 'web/Dockerfile': dockerfile, 'web/page': 'fourth\n' });
    await run();
    expect(inWeb('cat', '/page')).toBe('fourth');
  });

  it('cancelled, it changes nothing either', { timeout: slowMs }, async () => {
    const before = idOf('apps-web-1');
    project.put({ 'web/Dockerfile': dockerfile.replace('echo made', 'sleep 21; echo made') });
    const abort = new AbortController();
    const ended = run({ signal: abort.signal });
    ended.catch(() => undefined);
    await waitFor(() => events.some((event) => event.type === 'task-progress' && event.done === 1), slowMs);
    abort.abort();
    await expect(ended).rejects.toMatchObject({ code: 'OSB_CANCELLED' });
    expect(idOf('apps-web-1')).toBe(before);
  });

  it('two at once: the second is told so', { timeout: slowMs }, async () => {
    device = await openDevice(connection, new AbortController().signal);
    const other = await bench.connect();
    await expect(openDevice(other, new AbortController().signal)).rejects.toMatchObject({ code: 'OSB_REMOTE_HOST', message: expect.stringContaining('another deploy') });
    device.unlock();
    (await openDevice(other, new AbortController().signal)).unlock();
    other.close();
  });

  it('a compose file on the boot partition comes first, and is named', { timeout: slowMs }, async () => {
    bench.keeper.put('compose.yml', 'services: {}\n', 'boot');
    await expect(run()).rejects.toMatchObject({ code: 'OSB_REMOTE_HOST', message: expect.stringContaining('/mnt/boot/apps/compose.yml'), hint: expect.stringContaining('rm /mnt/boot/apps/compose.yml') });
    bench.keeper.drop('compose.yml', 'boot');
    expect((await run()).status.services).toHaveLength(2);
  });

  it('watched, a change is there soon, and its output too', { timeout: 2 * slowMs }, async () => {
    project.put({ 'web/page': 'before the watch\n' });
    const home = mkdtempSync(join(tmpdir(), 'osbuild-home-'));
    mkdirSync(join(home, '.ssh'));
    writeFileSync(join(home, '.ssh/known_hosts'), `${bench.server.knownHost}\n`);
    const words = ['deploy', project.folder, '--host', `${bench.server.user}@127.0.0.1:${bench.server.port}`, '--identity', bench.server.identity];
    const child = execa(join(import.meta.dirname, '../../osbuild'), [...words, '--watch', '--logs'], { reject: false, env: { HOME: home, SSH_AUTH_SOCK: '', OSBUILD_CACHE_DIR: join(home, 'cache') } });
    let said = '';
    child.stdout.on('data', (data: Buffer) => (said += data.toString()));
    let told = '';
    child.stderr.on('data', (data: Buffer) => (told += data.toString()));
    try {
      const until = (text: string): Promise<void> => waitFor(() => said.includes(text), slowMs).catch(() => {
        throw new Error(`no ${JSON.stringify(text)} in:\n${said}\n${told}`);
      });
      await until('apps-web-1 | before the watch\n');
      await waitFor(() => told.includes('Watching'), slowMs);
      project.put({ 'web/Dockerfile': `${dockerfile}RUN exit 9\n` });
      await waitFor(() => told.includes('could not be built'), slowMs);
      project.put({ 'web/Dockerfile': dockerfile, 'web/page': 'while it is watched\n' });
      await until('apps-web-1 | while it is watched\n');
    } finally {
      child.kill('SIGINT');
      await child;
      rmSync(home, { recursive: true, force: true });
    }
    expect(said).toMatch(/^SERVICE .*\nside +running .*\nweb +running +built +osbuild-deploy\/web:\w+ +apps-web-1$/m);
  });
}, { obstacle: sshServerObstacle('openssh') ?? undefined });

describeLab('a deploy through dropbear, which devices have', (lab) => {
  let bench: Bench;
  let project: Project;
  beforeAll(async () => {
    bench = await openBench(lab, 'dropbear');
    project = openProject();
    project.put({ 'compose.yaml': compose, 'web/Dockerfile': dockerfile, 'web/page': `${'a long page '.repeat(200_000)}\n`, conf: 'one\n' });
  }, slowMs);
  afterAll(async () => {
    await bench.close();
    rmSync(project.folder, { recursive: true, force: true });
  }, slowMs);

  it('is the same, and replaces what somebody else has put there, which is kept', { timeout: slowMs }, async () => {
    bench.keeper.put('compose.yaml', 'services: {old: {image: "busybox:lab", command: sleep 100000, init: true}}\n', 'data');
    await bench.keeper.settled();
    const connection = await bench.connect();
    const signal = new AbortController().signal;
    const events: BuildEvent[] = [];
    const device = await openDevice(connection, signal);
    const { status } = await deploy({ device, deployment: readDeployment(join(project.folder, 'compose.yaml')), pull: false, emit: (event) => void events.push(event), signal, patienceMs: slowMs });
    expect(status.services.map(({ name, state }) => `${name} ${state}`)).toEqual(['side running', 'web running']);
    expect(lab.ok('exec', 'apps-web-1', 'wc', '-c', '/page')).toMatch(/^2400001 /);
    expect(events).toContainEqual(expect.objectContaining({ type: 'notice', message: expect.stringContaining('/mnt/data/apps/compose.yaml.before-deploy') }));
    expect(lab.run(['cat', '/mnt/data/apps/compose.yaml.before-deploy']).stdout).toContain('old:');
    device.unlock();
    connection.close();
  });
}, { obstacle: sshServerObstacle('dropbear') ?? undefined });
