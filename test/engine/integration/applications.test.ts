// A compose file on the boot or data partition, kept in force by the keeper beside the real daemon.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { describeLab } from '../support/describe-lab.ts';
import { prepareKeeper, type Keeper } from '../support/keeper.ts';
import { leftovers, waitFor, type Lab } from '../support/lab.ts';

const service = (name: string, more = ''): string => `  ${name}:\n    image: busybox:lab\n    init: true\n    command: sleep 100000\n    restart: always\n${more}`;
const file = (...services: string[]): string => `services:\n${services.join('')}`;
const idOf = (lab: Lab, name: string): string => lab.ok('inspect', '-f', '{{.Id}}', name);
const startedAt = (lab: Lab, name: string): string => lab.ok('inspect', '-f', '{{.State.StartedAt}}', name);

describeLab('applications of a device', (lab) => {
  let keeper: Keeper;
  beforeAll(() => {
    keeper = prepareKeeper(lab);
    keeper.start();
  });
  afterAll(async () => {
    await keeper.kill('SIGTERM');
    keeper.close();
  });

  it('start as soon as their file is there', async () => {
    expect(keeper.log()).toBe('');
    keeper.put('compose.yaml', file(service('web', '    environment: {COLOUR: "${COLOUR:-green}"}\n'), service('db', '    volumes: ["rows:/rows"]\n')) + 'volumes: {rows: }\n');
    const status = await keeper.settled(({ settled, services }) => settled && services.length === 2);
    expect(status).toMatchObject({ project: 'apps', file: '/mnt/boot/apps/compose.yaml', problems: [], services: [{ name: 'db', state: 'running' }, { name: 'web', state: 'running' }] });
    expect(lab.ok('exec', 'apps-web-1', 'sh', '-c', 'echo $COLOUR; ping -c 1 -w 5 db >/dev/null && echo reached')).toBe('green\nreached');
    expect(lab.ok('volume', 'inspect', '-f', '{{index .Labels "com.docker.compose.volume"}}', 'apps_rows')).toBe('rows');
    expect(keeper.ask('status').stdout).toMatch(/^project: {2}apps\nfile: {5}\/mnt\/boot\/apps\/compose.yaml\nSERVICE +IMAGE +STATE\ndb +busybox:lab +running\nweb +busybox:lab +running\n$/);
  });

  it('a change makes anew what it concerns, and nothing else', async () => {
    const [web, db] = [idOf(lab, 'apps-web-1'), idOf(lab, 'apps-db-1')];
    lab.ok('exec', 'apps-db-1', 'sh', '-c', 'echo 1 >/rows/row');
    keeper.put('.env', 'COLOUR=blue\n');
    await keeper.settled(({ settled }) => settled && lab.docker('exec', 'apps-web-1', 'sh', '-c', 'echo $COLOUR').stdout === 'blue\n');
    expect(idOf(lab, 'apps-web-1')).not.toBe(web);
    expect(idOf(lab, 'apps-db-1')).toBe(db);
    expect(lab.ok('ps', '-aq').split('\n')).toHaveLength(2);
  });

  it('their keeper rests in little memory', () => {
    const kilobytes = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${keeper.pid()}/smaps_rollup`, 'utf8'))?.[1]);
    expect(kilobytes).toBeGreaterThan(1000);
    expect(kilobytes).toBeLessThan(12_000);
  });

  it('a wrong file stops nothing, and the status says why', async () => {
    const before = [idOf(lab, 'apps-web-1'), idOf(lab, 'apps-db-1')];
    for (const [wrong, why] of [
      ['services: {web: {imag: x}}\n', 'line 1: services.web.imag: there is no such key of a service'], ['services:\n  web: [\n', 'line 2: [ is not closed'], ['', 'line 1: names no services'], ['services:\n  web:\n    build: .\n', 'line 3: services.web.build: names no image'],
    ] as const) {
      keeper.put('compose.yaml', wrong);
      const { problems } = await keeper.settled((status) => status.problems[0]?.includes(why) === true);
      expect(problems[0]).toContain('/mnt/boot/apps/compose.yaml: ');
      expect(keeper.ask('status').code).toBe(1);
    }
    // Another life of the keeper, that has only seen the wrong file.
    await keeper.kill('SIGKILL');
    lab.ok('rm', '-f', 'apps-web-1');
    keeper.start();
    await keeper.settled(({ problems, services }) => problems.length > 0 && services.every(({ state }) => state === 'running'));
    expect(lab.ok('exec', 'apps-web-1', 'sh', '-c', 'echo $COLOUR')).toBe('blue');
    expect(idOf(lab, 'apps-db-1')).toBe(before[1]);
    keeper.drop('compose.yaml');
    await keeper.settled(({ problems }) => problems[0]?.includes('is gone: what it said last stays in force') === true);
    expect(lab.ok('ps', '-q').split('\n')).toHaveLength(2);
  });

  it('a service that cannot be had leaves the one before alone', async () => {
    const web = idOf(lab, 'apps-web-1');
    keeper.put('compose.yaml', file(service('web').replace('busybox:lab', '127.0.0.1:9/nowhere:1'), service('db', '    volumes: ["rows:/rows"]\n')) + 'volumes: {rows: }\n');
    const status = await keeper.settled(({ services }) => services.some(({ state }) => state === 'failing'));
    expect(status.services[1]).toMatchObject({ name: 'web', state: 'failing', detail: expect.stringContaining('pull: ') });
    expect(idOf(lab, 'apps-web-1')).toBe(web);
    expect(lab.ok('inspect', '-f', '{{.State.Running}}', 'apps-web-1')).toBe('true');
    // One that is refused when it is made is no better.
    keeper.put('compose.yaml', file(service('web', '    cap_add: [NO_SUCH]\n'), service('db', '    volumes: ["rows:/rows"]\n')) + 'volumes: {rows: }\n');
    await keeper.settled(({ services }) => services.some(({ detail }) => detail.startsWith('create: ')));
    expect(idOf(lab, 'apps-web-1')).toBe(web);
    keeper.put('compose.yaml', file(service('web'), service('db', '    volumes: ["rows:/rows"]\n')) + 'volumes: {rows: }\n');
    await keeper.settled();
    expect(lab.ok('exec', 'apps-db-1', 'cat', '/rows/row')).toBe('1');
  });

  it('what somebody else stops, kills or removes comes back', async () => {
    for (const words of [['stop', '-t', '0'], ['kill'], ['rm', '-f']]) {
      lab.ok(...words, 'apps-web-1');
      await waitFor(() => lab.docker('inspect', '-f', '{{.State.Running}}', 'apps-web-1').stdout.trim() === 'true', 20_000);
    }
    lab.ok('network', 'disconnect', '-f', 'apps_default', 'apps-web-1');
    lab.ok('rm', '-f', 'apps-web-1', 'apps-db-1');
    lab.docker('network', 'rm', 'apps_default');
    await keeper.settled(({ settled }) => settled && lab.docker('network', 'inspect', 'apps_default').code === 0 && lab.ok('ps', '-q').split('\n').length === 2);
    expect(lab.ok('exec', 'apps-db-1', 'cat', '/rows/row')).toBe('1');
  });

  it('what its owner stops stays stopped, through a restart of everything, until it is started', async () => {
    expect(keeper.ask('stop', 'web')).toMatchObject({ code: 0, stderr: '' });
    await keeper.settled(({ services }) => services[1]?.state === 'stopped');
    expect(keeper.ask('stop', 'nobody')).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no service nobody; there are db, web') });
    expect(keeper.ask('stop').code).toBe(0);
    await keeper.settled(({ stopped, services }) => stopped && services.every(({ state }) => state === 'stopped'));
    await keeper.kill('SIGKILL');
    await lab.signalDaemon('SIGTERM');
    keeper.restartSystem();
    await lab.startDaemon();
    keeper.start();
    await keeper.settled(({ stopped, services }) => stopped && services.every(({ state }) => state === 'stopped'));
    expect(lab.ok('ps', '-q')).toBe('');
    keeper.ask('start');
    await keeper.settled(({ stopped, services }) => !stopped && services.every(({ state }) => state === 'running'));
    const before = startedAt(lab, 'apps-web-1');
    keeper.ask('restart', 'web');
    await keeper.settled(({ settled }) => settled && startedAt(lab, 'apps-web-1') !== before);
  });

  it('a keeper and a daemon that are killed at any moment of a change: the next ones finish it', async () => {
    for (let round = 0; round < 8; round += 1) {
      const delayMs = (round * 97) % 500;
      const db = idOf(lab, 'apps-db-1');
      keeper.put('compose.yaml', file(service('web', `    environment: {ROUND: "${round}"}\n    networks: [${round % 2 === 0 ? 'default, other' : 'default'}]\n`), service('db', '    volumes: ["rows:/rows"]\n')) + `volumes: {rows: }\n${round % 2 === 0 ? 'networks: {other: }\n' : ''}`);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      if (round % 3 !== 1) await keeper.kill('SIGKILL');
      if (round % 3 !== 0) {
        await lab.signalDaemon('SIGKILL');
        await lab.startDaemon();
      }
      if (round % 3 !== 1) keeper.start();
      await keeper.settled(({ settled }) => settled && lab.docker('exec', 'apps-web-1', 'sh', '-c', 'echo $ROUND').stdout.trim() === String(round));
      expect(lab.ok('ps', '-a', '--format', '{{.Names}}').split('\n').toSorted()).toEqual(['apps-db-1', 'apps-web-1']);
      expect(idOf(lab, 'apps-db-1')).toBe(db);
      await waitFor(() => lab.ok('network', 'ls', '--format', '{{.Name}}').includes('apps_other') === (round % 2 === 0));
    }
  }, 240_000);

  it('the file of the boot partition counts before that of the data partition', async () => {
    keeper.put('compose.yaml', `name: other\n${file(service('web'))}`, 'data');
    await keeper.settled();
    expect(keeper.status().project).toBe('apps');
    keeper.drop('compose.yaml');
    await keeper.settled(({ settled, project }) => settled && project === 'other');
    expect(lab.ok('ps', '-a', '--format', '{{.Names}}')).toBe('other-web-1');
    expect(lab.ok('network', 'ls', '--format', '{{.Name}}').split('\n')).not.toContain('apps_default');
    expect(lab.ok('volume', 'ls', '-q')).toBe('apps_rows');
  });

  it('services wait for each other, tasks run once, and again after a restart of the system', async () => {
    const task = '  task:\n    image: busybox:lab\n    command: sh -c "echo ran >>/shared/task"\n    volumes: ["shared:/shared"]\n    depends_on: {store: {condition: service_healthy}}\n';
    const late = '    depends_on:\n      task: {condition: service_completed_successfully}\n    volumes: ["shared:/shared"]\n';
    const store = '    healthcheck: {test: [CMD, test, -e, /ready], interval: 200ms, retries: 100, timeout: 10s}\n';
    keeper.put('compose.yaml', `${file(service('late', late), service('store', store).replace('sleep 100000', '[sh, -c, "sleep 2; touch /ready; exec sleep 100000"]'))}${task}volumes: {shared: }\n`);
    const { services } = await keeper.settled(({ settled, project }) => settled && project === 'apps');
    expect(services.map(({ name, state }) => `${name} ${state}`)).toEqual(['late running', 'store running', 'task done']);
    const time = (name: string, field: string): number => Date.parse(lab.ok('inspect', '-f', `{{.State.${field}}}`, `apps-${name}-1`));
    expect(time('task', 'StartedAt') - time('store', 'StartedAt')).toBeGreaterThanOrEqual(2000);
    expect(time('late', 'StartedAt')).toBeGreaterThanOrEqual(time('task', 'FinishedAt'));
    await keeper.kill('SIGTERM');
    keeper.start();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await keeper.settled();
    expect(lab.ok('exec', 'apps-late-1', 'cat', '/shared/task')).toBe('ran');
    await keeper.kill('SIGTERM');
    keeper.restartSystem();
    lab.ok('stop', '-t', '0', 'apps-store-1', 'apps-late-1');
    keeper.start();
    await keeper.settled();
    expect(lab.ok('exec', 'apps-late-1', 'cat', '/shared/task')).toBe('ran\nran');
  });

  it('are taken down when the file has gone and somebody says so; volumes stay', async () => {
    expect(keeper.ask('remove')).toMatchObject({ code: 1, stderr: expect.stringContaining('/mnt/boot/apps/compose.yaml is there: remove it first') });
    keeper.drop('compose.yaml');
    keeper.drop('compose.yaml', 'data');
    await keeper.settled(({ problems }) => problems.length > 0);
    expect(keeper.ask('remove').code).toBe(0);
    await keeper.settled(({ settled, services }) => settled && services.length === 0);
    await waitFor(() => lab.ok('ps', '-aq') === '');
    await waitFor(() => lab.ok('network', 'ls', '--filter', 'type=custom', '-q') === '');
    expect(lab.ok('volume', 'ls', '-q').split('\n').toSorted()).toEqual(['apps_rows', 'apps_shared']);
    expect(leftovers(lab)).toEqual([]);
  });
});
