import { usedLayers, type ContainerContext } from '../containers/index.ts';
import { canonicalName, familiarName, type Image } from '../images/index.ts';
import { EngineError } from '../error.ts';
import type { ByteSource, Cancellation, Root } from '../ports/index.ts';
import type { Puller } from '../pull/index.ts';
import type { RegistrySettings } from '../registry/index.ts';
import type { OnDamage, Queue } from '../store/index.ts';
import { findBase } from './base-image.ts';
import { parseDockerfile } from './dockerfile/index.ts';
import { createPace } from './file-tree.ts';
import { openContext } from './open-context.ts';
import type { BuildOutput } from './output.ts';
import { planBuild, type PlannedStage } from './plan.ts';
import type { BuildRequest } from './request.ts';
import { announce, runStage } from './run-stage.ts';
import { shortId, type BuildEnvironment, type BuildSession } from './session.ts';
import { squash } from './squash.ts';
import type { StageState } from './stage-state.ts';
import { openStepsStore, type StepsStore } from './steps-store.ts';
import { clearWorkshops, openWorkshop, type Workshop } from './workshop.ts';

/** Makes images of Dockerfiles. */
export interface Builder {
  /** Gives the image's id. `contextRead` is called once the body has been read. */
  build(request: BuildRequest, body: ByteSource, output: BuildOutput, gone: Cancellation, contextRead: () => void): Promise<string>;
  steps: StepsStore;
  /** Whether a build under way stands on the image. */
  isHeld(imageId: string): boolean;
  /** Removes steps that no finished image was made of (`all`: every step) and what RUN's caches hold; not what builds under way use. */
  prune(all: boolean): Promise<{ deleted: string[]; reclaimedBytes: number }>;
  /** After a start: what builds that were cut short have left goes. */
  recover(): Promise<void>;
}

export interface BuilderOptions {
  containers: ContainerContext;
  puller: Puller;
  proxies: RegistrySettings['proxies'];
  onDamage: OnDamage;
}

export function createBuilder({ containers, puller, proxies, onDamage }: BuilderOptions): Builder {
  const { files } = containers.system;
  const folder = `${containers.paths.dataRoot}/build`;
  const steps = openStepsStore(files, folder, containers.images, onDamage);
  const environment: BuildEnvironment = { containers, puller, proxies, steps, folder, locks: new Map<string, Queue>(), held: new Set() };

  return {
    steps,
    async build(request, body, output, gone, contextRead) {
      const using = new Set<string>();
      environment.held.add(using);
      const workshop = await openWorkshop(containers, folder);
      const openRoots: Root[] = [];
      try {
        const { root, path, source } = await openContext(containers.system, proxies, `${workshop.folder}/context`, request, body, gone);
        openRoots.push(root);
        contextRead();
        const session = planSession(environment, request, { output, gone, workshop, openRoots, root, path, source, using });
        return await buildAll(session);
      } finally {
        for (const root of openRoots) root.close();
        await workshop.close();
        environment.held.delete(using);
      }
    },
    isHeld: (id) => isHeld(environment, id),
    prune: (all) => pruneSteps(environment, all),
    async recover() {
      await clearWorkshops(containers, folder);
      await steps.tidy();
    },
  };
}

interface SessionParts {
  output: BuildOutput;
  gone: Cancellation;
  workshop: Workshop;
  openRoots: Root[];
  root: Root;
  path: string;
  source: string;
  using: Set<string>;
}

function planSession(environment: BuildEnvironment, request: BuildRequest, { output, gone, workshop, openRoots, root, path, source, using }: SessionParts): BuildSession {
  const { containers, steps } = environment;
  const { machine, clock } = containers.system;
  const dockerfile = parseDockerfile(source);
  const build = { architecture: machine.architecture, variant: machine.architectureVariant };
  const platformArgs = new Map([...platformValues('BUILD', build), ...platformValues('TARGET', request.platform ?? build)]);
  const plan = planBuild(dockerfile, { target: request.target, buildArgs: request.buildArgs, platformArgs, labels: request.labels });
  const allowed = request.cacheFrom === undefined ? undefined : new Set(request.cacheFrom.flatMap((name) => steps.lineage(containers.images.find(name)?.id ?? '')));
  return {
    ...environment, request, output, gone, workshop, pace: createPace(clock, gone), plan, escape: dockerfile.escape, context: { root, path }, consumed: new Set(dockerfile.globalArgs.flatMap(({ args }) => args.map(({ name }) => name))),
    platformArgs, allowed, stepNumber: 0, openRoots, using, dockerfile,
  };
}

function platformValues(prefix: string, { architecture, variant }: { architecture: string; variant: string }): [string, string][] {
  return [[`${prefix}PLATFORM`, `linux/${architecture}${variant === '' ? '' : `/${variant}`}`], [`${prefix}OS`, 'linux'], [`${prefix}ARCH`, architecture], [`${prefix}VARIANT`, variant]];
}

async function buildAll(session: BuildSession): Promise<string> {
  const { plan, output, containers, steps, request, dockerfile } = session;
  for (const warning of dockerfile.warnings) await output.say(`${warning}\n`);
  for (const arg of dockerfile.globalArgs) await announce(session, arg);
  const done = new Map<number, StageState>();
  for (const stage of plan.stages) if (stage.needed) done.set(stage.index, await runStage(session, stage, done));
  const state = done.get(plan.target.index);
  if (state === undefined || state.imageId === '') throw new EngineError('invalid', 'NO_IMAGE', 'No image was generated. Is your Dockerfile empty?');
  const unused = [...request.buildArgs.keys()].filter((name) => !session.consumed.has(name));
  if (unused.length > 0) await output.say(`[Warning] One or more build-args [${unused.toSorted().join(' ')}] were not consumed\n`);
  let id = state.imageId;
  if (request.squash) {
    const base = await findBase(session, rootOf(session), '', new Map(), false);
    if (state.diffIds.length > base.diffIds.length) id = await squash(session, state, base);
  }
  await steps.finish(id);
  await output.result(id);
  await output.say(`Successfully built ${shortId(id)}\n`);
  for (const reference of request.tags) {
    await containers.images.name(canonicalName(reference), id, new Date(containers.system.clock.now()).toISOString());
    containers.events.emit('image', 'tag', id, { name: familiarName(reference) });
    await output.say(`Successfully tagged ${familiarName(reference)}\n`);
  }
  return id;
}

/** What the target stands on when stages on stages are followed down. */
function rootOf({ plan }: BuildSession): PlannedStage['base'] {
  let stage = plan.target;
  for (let { base } = stage; base.kind === 'stage'; { base } = stage) {
    const below = plan.stages[base.index];
    if (below === undefined) break;
    stage = below;
  }
  return stage.base;
}

function isHeld({ held }: BuildEnvironment, imageId: string): boolean {
  return [...held].some((using) => using.has(imageId));
}

async function pruneSteps(environment: BuildEnvironment, all: boolean): Promise<{ deleted: string[]; reclaimedBytes: number }> {
  const { containers, steps, folder, held } = environment;
  const { images, layers, collection, system } = containers;
  const layerBytes = (): number => layers.all().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const before = layerBytes();
  const used = new Set(collection.all().map(({ record }) => record.imageId));
  const wanted = all ? new Set<string>() : new Set(images.all().filter((image) => !steps.isStep(image)).flatMap(({ id }) => steps.lineage(id)));
  const gone = images.all().filter((image: Image) => steps.isStep(image) && !used.has(image.id) && !wanted.has(image.id) && !isHeld(environment, image.id));
  for (const { id } of gone) await images.remove(id);
  await images.collect(usedLayers(containers));
  await steps.tidy();
  let reclaimedBytes = before - layerBytes();
  const caches = `${folder}/cache`;
  if (held.size === 0 && system.files.exists(caches)) {
    reclaimedBytes += (await system.files.diskUsage(caches)).sizeBytes;
    await system.files.removeTree(caches);
  }
  return { deleted: gone.map(({ id }) => id), reclaimedBytes };
}
