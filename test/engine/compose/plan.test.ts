import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';

import { LABEL } from '../../../src/engine/compose/labels.ts';
import type { Memory, Observed, SeenContainer } from '../../../src/engine/compose/observed.ts';
import { planSteps, type Step } from '../../../src/engine/compose/plan.ts';
import { containerName, type Project } from '../../../src/engine/compose/project.ts';
import { readProject } from '../../../src/engine/compose/read-project.ts';

const project = (text: string): Project => readProject(text, { file: '/p/apps/compose.yaml', folder: '/p/apps', contents: '/c', readText: () => undefined, hashFile: () => undefined, hash: (value) => createHash('sha256').update(value).digest('hex') }).project;

interface State {
  seen: Observed;
  memory: Memory & { started: Set<string>; disturbed: Set<string>; toRestart: Set<string>; refreshed: Set<string> };
}

const empty = (images: readonly string[] = ['x']): State => ({
  seen: { containers: [], networks: [], volumes: [], images: new Map(images.map((image) => [image, `id of ${image}`])) },
  memory: { stopped: new Set(), started: new Set(), disturbed: new Set(), toRestart: new Set(), refreshed: new Set() },
});

let count = 0;

/** What the engine would have after a step. */
function after({ seen, memory }: State, step: Step, of: Project): State {
  const change = (id: string, by: Partial<SeenContainer>): State => ({ memory, seen: { ...seen, containers: seen.containers.map((container) => (container.id === id ? { ...container, ...by } : container)) } });
  switch (step.do) {
    case 'pull':
      memory.refreshed.add(step.image);
      return { memory, seen: { ...seen, images: new Map([...seen.images, [step.image, `id of ${step.image}`]]) } };
    case 'create-network':
      return { memory, seen: { ...seen, networks: [...seen.networks, { id: step.network.name, name: step.network.name, labels: { [LABEL.hash]: step.network.hash, [LABEL.kept]: '1' } }] } };
    case 'remove-network':
      expect(seen.containers.filter(({ networks }) => networks.includes(step.name))).toEqual([]);
      return { memory, seen: { ...seen, networks: seen.networks.filter(({ id }) => id !== step.id) } };
    case 'create-volume':
      return { memory, seen: { ...seen, volumes: [...seen.volumes, step.volume.name] } };
    case 'create': {
      count += 1;
      const spaces = Object.values(step.service.shares).map((other) => seen.containers.find(({ labels }) => labels[LABEL.service] === other)?.id ?? '');
      const labels = { [LABEL.project]: of.name, [LABEL.service]: step.service.name, [LABEL.number]: String(step.number), [LABEL.hash]: step.service.hash, [LABEL.kept]: '1' };
      expect(seen.containers.map(({ name }) => name)).not.toContain(step.name);
      return { memory, seen: { ...seen, containers: [...seen.containers, { id: `c${count}`, name: step.name, imageId: step.imageId, labels, status: 'created', exitCode: 0, restart: step.service.restart, health: undefined, spaces, networks: Object.keys(step.service.networks ?? {}), anonymous: {} }] } };
    }
    case 'start':
    case 'restart':
      memory.started.add(step.id);
      memory.disturbed.delete(step.id);
      memory.toRestart.delete(step.id);
      return change(step.id, { status: 'running', health: 'healthy', ...('restart' in step && step.restart !== undefined ? { restart: step.restart } : {}) });
    case 'stop':
      memory.started.delete(step.id);
      return change(step.id, { status: 'exited', exitCode: 143, ...(step.hold === true ? { restart: { Name: 'no', MaximumRetryCount: 0 } } : {}) });
    case 'remove':
      expect(seen.containers.find(({ id }) => id === step.id)?.status).not.toBe('running');
      return { memory, seen: { ...seen, containers: seen.containers.filter(({ id }) => id !== step.id) } };
    case 'rename':
      return change(step.id, { name: step.name });
  }
}

/** Carries out plans until nothing is left; what was done, in order. `choose`: which of the steps at hand comes next. */
function carryOut(of: Project, state: State, choose: (steps: readonly Step[]) => number = () => 0): { state: State; done: string[] } {
  const done: string[] = [];
  let now = state;
  for (let round = 0; round < 200; round += 1) {
    const { steps } = planSteps(of, now.seen, now.memory);
    const step = steps[choose(steps) % Math.max(steps.length, 1)];
    if (step === undefined) return { state: now, done };
    done.push(`${step.do} ${step.of || ('network' in step ? step.network.key : 'volume' in step ? step.volume.key : 'name' in step ? step.name : '')}`);
    now = after(now, step, of);
  }
  throw new Error(`no end: ${done.slice(-10).join(', ')}`);
}

const names = ({ seen }: State): string[] => seen.containers.map(({ name, status }) => `${name} ${status}`).toSorted();

describe('from nothing', () => {
  const both = project('services:\n  web: {image: x, restart: always, depends_on: [db]}\n  db: {image: y, volumes: ["v:/v"]}\nvolumes: {v: }\n');

  test('everything is made, in the order in which it is needed', () => {
    const { done, state } = carryOut(both, empty());
    expect(done).toEqual(['create-network default', 'create-volume v', 'pull db', 'create db', 'start db', 'create web', 'start web']);
    expect(names(state)).toEqual(['apps-db-1 running', 'apps-web-1 running']);
    expect(planSteps(both, state.seen, state.memory)).toEqual({ steps: [], waiting: new Map() });
  });

  test('in whatever order its steps are done, and from wherever it was cut off, it comes to the same', () => {
    const changed = project('services:\n  web: {image: x, restart: always, depends_on: [db], user: me, networks: [a, b]}\n  db: {image: y, volumes: ["v:/v"], networks: [b]}\n  gone: {image: x, network_mode: "service:web"}\nnetworks: {a: , b: }\nvolumes: {v: }\n');
    let seed = 3;
    const random = (): number => (seed = (seed * 1103515245 + 12345) % 2 ** 31) >> 8;
    for (let round = 0; round < 200; round += 1) {
      let state = empty();
      // Both files in turn, each left somewhere in the middle.
      for (let turn = 0; turn < 4; turn += 1) {
        const of = turn % 2 === 0 ? both : changed;
        for (let left = random() % 14; left > 0; left -= 1) {
          const { steps } = planSteps(of, state.seen, state.memory);
          const step = steps[random() % Math.max(1, steps.length)];
          if (step !== undefined) state = after(state, step, of);
        }
      }
      expect(names(carryOut(both, state, random).state)).toEqual(['apps-db-1 running', 'apps-web-1 running']);
      const last = carryOut(changed, state, random).state;
      expect(names(last)).toEqual(['apps-db-1 running', 'apps-gone-1 running', 'apps-web-1 running']);
      expect(last.seen.networks.map(({ name }) => name).toSorted()).toEqual(['apps_a', 'apps_b']);
    }
  });
});

describe('a change', () => {
  const before = project('services:\n  web: {image: x, restart: always}\n  db: {image: x, restart: always}\n');
  const running = (): State => carryOut(before, empty()).state;

  test('makes anew what it concerns: the successor first, then the one before goes', () => {
    const { done } = carryOut(project('services:\n  web: {image: x, restart: always, user: me}\n  db: {image: x, restart: always}\n'), running());
    expect(done).toEqual(['create web', 'stop web', 'remove web', 'rename web', 'start web']);
  });

  test('a new image does the same', () => {
    const state = running();
    const seen = { ...state.seen, images: new Map([['x', 'another']]) };
    expect(carryOut(before, { ...state, seen }).done).toEqual(['create db', 'stop db', 'remove db', 'rename db', 'start db', 'create web', 'stop web', 'remove web', 'rename web', 'start web']);
  });

  test('an image that cannot be had changes nothing', () => {
    const { steps, waiting } = planSteps(project('services:\n  web: {image: none, restart: always}\n  db: {image: x, restart: always}\n'), running().seen, running().memory);
    expect(steps.map(({ do: what, of }) => `${what} ${of}`)).toEqual(['pull web']);
    expect([...waiting]).toEqual([['web', 'the image none']]);
  });

  test('what the file no longer has goes, with its networks; volumes stay', () => {
    const { done, state } = carryOut(project('services: {}\n'), running());
    expect(done).toEqual(['stop db', 'remove db', 'stop web', 'remove web', 'remove-network apps_default']);
    expect(state.seen.containers).toEqual([]);
  });

  test('fewer replicas: the last ones go', () => {
    const three = project('services: {web: {image: x, scale: 3, restart: always}}\n');
    const { state } = carryOut(three, empty());
    expect(names(state)).toEqual(['apps-web-1 running', 'apps-web-2 running', 'apps-web-3 running']);
    expect(names(carryOut(project('services: {web: {image: x, scale: 1, restart: always}}\n'), state).state)).toEqual(['apps-web-1 running']);
  });

  test('another name of the project takes the containers of the old one away', () => {
    expect(names(carryOut(project('name: new\nservices: {web: {image: x}}\n'), running()).state)).toEqual(['new-web-1 running']);
  });

  test('a service that lives in the network of another one follows its new container', () => {
    const text = (user: string): string => `services:\n  web: {image: x, user: ${user}}\n  side: {image: x, network_mode: "service:web"}\n`;
    const { state } = carryOut(project(text('a')), empty());
    const last = carryOut(project(text('b')), state).state.seen.containers;
    expect(last.find(({ name }) => name === 'apps-side-1')?.spaces).toEqual([last.find(({ name }) => name === 'apps-web-1')?.id]);
  });
});

describe('containers that do not run', () => {
  const of = project('services:\n  always: {image: x, restart: always}\n  task: {image: x}\n  tries: {image: x, restart: "on-failure:3"}\n');
  const ended = (by: Partial<SeenContainer>): State => {
    const { state } = carryOut(of, empty());
    return { ...state, seen: { ...state.seen, containers: state.seen.containers.map((container) => ({ ...container, status: 'exited', ...by })) } };
  };
  const started = (state: State): string[] => carryOut(of, state).done;

  test('are started where their policy says so; those that ended by themselves are left alone', () => {
    expect(started(ended({ exitCode: 0 }))).toEqual(['start always']);
    expect(started(ended({ exitCode: 1 }))).toEqual(['start always']);
  });

  test('all are started when the system has started, or somebody stopped them', () => {
    const fresh = ended({ exitCode: 0 });
    expect(started({ ...fresh, memory: { ...fresh.memory, started: new Set() } })).toEqual(['start always', 'start task', 'start tries']);
    expect(started({ ...fresh, memory: { ...fresh.memory, disturbed: new Set(fresh.seen.containers.map(({ id }) => id)) } })).toEqual(['start always', 'start task', 'start tries']);
  });

  test('those that their owner stopped stay so, and get their policy back when they start', () => {
    const { state } = carryOut(of, empty());
    const stopped = carryOut(of, { ...state, memory: { ...state.memory, stopped: 'all' } });
    expect(stopped.done).toEqual(['stop always', 'stop task', 'stop tries']);
    expect(stopped.state.seen.containers.map(({ restart }) => restart.Name)).toEqual(['no', 'no', 'no']);
    const again = { ...stopped.state, memory: { ...state.memory, started: new Set<string>() } };
    expect(carryOut(of, again).state.seen.containers.map(({ restart, status }) => `${restart.Name} ${status}`).toSorted()).toEqual(['always running', 'no running', 'on-failure running']);
  });
});

describe('what a service waits for', () => {
  const of = project('services:\n  a: {image: x, depends_on: {b: {condition: service_healthy}, c: {condition: service_completed_successfully}}}\n  b: {image: x}\n  c: {image: x}\n');
  const state = (b: Partial<SeenContainer>, c: Partial<SeenContainer>): string | undefined => {
    const { state: all } = carryOut(of, empty());
    const containers = all.seen.containers.map((container) => ({ ...container, ...(container.name === containerName(of, of.services[1] ?? never(), 1) ? b : container.name === 'apps-c-1' ? c : {}) }));
    const created = { id: 'a', name: 'apps-a-1', imageId: 'id of x', labels: { [LABEL.project]: 'apps', [LABEL.service]: 'a', [LABEL.number]: '1', [LABEL.hash]: of.services[0]?.hash ?? '' }, status: 'created', exitCode: 0, restart: { Name: 'no', MaximumRetryCount: 0 }, health: undefined, spaces: [], networks: ['apps_default'], anonymous: {} };
    const { steps, waiting } = planSteps(of, { ...all.seen, containers: [...containers, created] }, all.memory);
    return steps.some((step) => step.do === 'start' && step.of === 'a') ? 'started' : waiting.get('a');
  };
  const never = (): never => {
    throw new Error('no such service');
  };

  test.each([
    [{ health: 'starting' }, { status: 'exited' }, 'b to be healthy'], [{ health: 'healthy' }, { status: 'running' }, 'c to be done'], [{ health: 'healthy' }, { status: 'exited', exitCode: 1 }, 'c to be done'],
    [{ health: 'unhealthy' }, { status: 'exited' }, 'b to be healthy'], [{ health: 'healthy' }, { status: 'exited', exitCode: 0 }, 'started'],
  ])('%j %j: %s', (b, c, expected) => expect(state(b, c)).toBe(expected));
});
