import { messageOf } from '../error.ts';
import type { Clock } from '../ports/index.ts';
import type { ComposeEngine } from './engine.ts';
import type { Observed } from './observed.ts';
import type { Places } from './places.ts';
import { planSteps, type Executors, type Plan, type Step } from './plan.ts';
import type { Project } from './project.ts';
import { readRequests, type Request } from './requests.ts';
import { createRetries } from './retries.ts';
import { openSource, type SourcePorts } from './source.ts';
import { serviceStatus, type ApplicationsStatus } from './status.ts';
import { openMemory } from './memory.ts';
import { createFolderWatch } from './watch.ts';

export interface KeeperPorts extends SourcePorts {
  readonly clock: Clock;
  readonly engine: ComposeEngine;
  readonly pid: number;
  say(line: string): void;
}

/** Files are looked at this often although nothing was heard of them: a change of a mount, or of a file elsewhere, is not told. */
const LOOK_MS = 30_000;
/** Several events come at once. */
const PAUSE_MS = 100;
const REMEMBERED_REQUESTS = 16;

/** Keeps the engine at what the compose file says, until `ended` resolves. */
export async function keepApplications(ports: KeeperPorts, places: Places, ended: Promise<unknown>): Promise<void> {
  const { clock, engine, files, say } = ports;
  files.mkdirs(`${places.run}/requests`, 0o700);
  const source = openSource(ports, places);
  const memory = openMemory(files, places);
  const retries = createRetries(() => clock.monotonicMs());
  const pulling = new Set<string>();
  const done: { id: string; error: string | null }[] = [];
  let over = false;
  let dirty = true;
  let woken = false;
  let wake = (): void => undefined;
  let engineTrouble: string | undefined;
  let written = '';
  let problems = '';
  const trigger = (): void => {
    woken = true;
    wake();
  };
  const touched = (): void => {
    dirty = true;
    trigger();
  };
  const watch = createFolderWatch(files, [...places.sources.flatMap((folder) => [folder.slice(0, folder.lastIndexOf('/')), folder]), `${places.run}/requests`], touched);
  void waitForEnd();
  void followEvents();
  while (!over) {
    woken = false;
    watch.look();
    const requests = readRequests(files, places);
    if (await source.look(dirty)) {
      memory.refreshed.clear();
      retries.forget();
      say(`${source.file}: project ${source.project?.name}, services ${source.project?.services.map(({ name }) => name).join(', ') || '(none)'}`);
    }
    dirty = false;
    if (source.problems.join('\n') !== problems) {
      problems = source.problems.join('\n');
      for (const problem of source.problems) say(problem);
    }
    const answers = await Promise.all(requests.map(async (request) => ({ id: request.id, error: await takeUp(request).then(() => null, messageOf) })));
    const seen = await round();
    done.push(...answers);
    done.splice(0, done.length - REMEMBERED_REQUESTS);
    await writeStatus(seen);
    if (!woken) await rest();
    // Whoever does something does more of it: a container that dies is started, a file that is written is closed.
    else await pause(PAUSE_MS);
  }

  async function waitForEnd(): Promise<void> {
    await ended;
    over = true;
    trigger();
  }

  function pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => void clock.after(delayMs, resolve));
  }

  async function rest(): Promise<void> {
    const retryMs = (retries.next() ?? Infinity) - clock.monotonicMs();
    const delayMs = engineTrouble === undefined ? Math.min(LOOK_MS, Math.max(PAUSE_MS, retryMs)) : 1000;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(delayMs, resolve);
      wake = () => {
        cancel();
        resolve();
      };
      if (woken) wake();
    });
    wake = () => undefined;
    if (woken) await pause(PAUSE_MS);
  }

  /** Does what can be done until nothing is left to do now. */
  async function round(): Promise<{ observed: Observed; plan: Plan } | undefined> {
    const { project } = source;
    if (project === undefined) return undefined;
    try {
      for (;;) {
        const observed = await engine.observe(project);
        engineTrouble = undefined;
        memory.see(observed);
        const plan = planSteps(project, observed, memory);
        retries.forget(new Set(plan.steps.map(({ key }) => key)));
        const ready = plan.steps.filter(({ do: what, key }) => !retries.blocked(key) && !(what === 'pull' && pulling.has(key)));
        for (const step of ready) if (step.do === 'pull') void pull(project, step);
        const now = ready.filter((step) => step.do !== 'pull');
        if (now.length === 0 || over) {
          if (plan.steps.length === 0) source.tidy();
          return { observed, plan };
        }
        const stops = new Set<Step>(now.filter((step) => step.do === 'stop' || step.do === 'restart'));
        await Promise.all([...stops].map((step) => carryOut(project, step)));
        for (const step of now) if (!stops.has(step) && !over) await carryOut(project, step);
      }
    } catch (error) {
      if (!engine.isGone(error)) throw error;
      engineTrouble = messageOf(error);
      return undefined;
    }
  }

  async function carryOut(project: Project, step: Step): Promise<void> {
    const { do: what, key, of } = step;
    const own = what === 'stop' || what === 'restart' || what === 'remove' ? step.id : undefined;
    if (own !== undefined) memory.ours.add(own);
    if (what === 'stop') memory.ending(step.id);
    try {
      await (engine.executors(project)[what] as (args: Step) => Promise<void>)(step as Parameters<Executors[typeof what]>[0] & Step);
      retries.succeeded(key);
      say(`${of === '' ? '' : `${of}: `}${what} ${'name' in step ? step.name : 'network' in step ? step.network.name : 'volume' in step ? step.volume.name : 'image' in step ? step.image : step.id.slice(0, 12)}`);
      if (what === 'start' || what === 'restart') memory.ran(step.id);
      if (what === 'create' && step.replaces !== undefined) for (const service of project.services) if (service.dependsOn.some(({ service: other, restart }) => restart && other === of)) memory.restartLater(service.name);
    } catch (error) {
      if (engine.isGone(error)) throw error;
      retries.failed(key, of, `${what}: ${messageOf(error)}`);
      say(`${of === '' ? '' : `${of}: `}${what}: ${messageOf(error)}`);
    } finally {
      if (own !== undefined) memory.ours.delete(own);
    }
  }

  /** Takes long, so that nothing waits for it but what needs the image. */
  async function pull(project: Project, step: Step & { do: 'pull' }): Promise<void> {
    pulling.add(step.key);
    const offered = memory.images.has(step.image);
    try {
      await carryOut(project, step);
      // Without a network the image that is there does.
      if (offered || !retries.blocked(step.key)) memory.refreshed.add(step.image);
    } catch (error) {
      retries.failed(step.key, step.of, `pull: ${messageOf(error)}`);
    } finally {
      pulling.delete(step.key);
      trigger();
    }
  }

  async function followEvents(): Promise<void> {
    while (!over) {
      try {
        for await (const { id, action } of engine.events()) {
          memory.heard(id, action);
          if (/^(?:die|destroy|stop|create|start|rename|unpause|health_status.*|opened)$/.test(action)) trigger();
        }
      } catch {
        // The engine is restarted, or not there yet; the rounds tell of it.
      }
      trigger();
      await pause(1000);
    }
  }

  async function takeUp({ verb, services }: Request): Promise<void> {
    const known = new Set(source.project?.services.map(({ name }) => name));
    const unknown = services.filter((name) => !known.has(name));
    if (unknown.length > 0) throw new Error(`there is no service ${unknown.join(', ')}${known.size === 0 ? '' : `; there are ${[...known].join(', ')}`}`);
    retries.forget();
    if (verb === 'apply') {
      await source.look(true);
      memory.refreshed.clear();
    } else if (verb === 'remove') {
      if (source.file !== undefined) throw new Error(`${source.file} is there: remove it first, or take its services out`);
      await source.forget();
    } else if (verb === 'restart') for (const name of services.length === 0 ? known : services) memory.restartLater(name);
    else await memory.setStopped(verb, services, known);
  }

  async function writeStatus(seen: { observed: Observed; plan: Plan } | undefined): Promise<void> {
    const { project } = source;
    const messages = retries.messages();
    const { stopped } = memory;
    const services = (project?.services ?? []).map((service) =>
      serviceStatus(project as Project, service, seen?.observed.containers ?? [], seen?.plan ?? { steps: [], waiting: new Map() }, messages, stopped === 'all' || stopped.has(service.name)));
    const status: ApplicationsStatus = {
      pid: ports.pid, project: project?.name ?? null, file: source.file ?? null, problems: source.problems, warnings: source.warnings,
      failures: [...(engineTrouble === undefined ? [] : [`the engine does not answer: ${engineTrouble}`]), ...(messages.has('') ? [messages.get('') ?? ''] : [])],
      stopped: stopped === 'all', settled: source.problems.length === 0 && (project === undefined || seen?.plan.steps.length === 0) && services.every(({ state }) => state !== 'waiting' && state !== 'failing'), services, requests: done,
    };
    const text = `${JSON.stringify(status)}\n`;
    if (text === written) return;
    written = text;
    await files.replaceFile(`${places.run}/status.json`, text, 0o600);
  }
}
