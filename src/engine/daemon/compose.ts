import type { ApiContext } from '../api/index.ts';
import { createBuilder } from '../build/index.ts';
import { containerLife, createRootfsStore, openCollection, parseBoundingSet, recoverContainers, startByPolicy, usedLayers, type ContainerContext } from '../containers/index.ts';
import { createDeltas } from '../delta/index.ts';
import { EngineError, messageOf } from '../error.ts';
import { createEventBus } from '../events/index.ts';
import { NO_OTHER_ROOT, openImageStore, openLayerStore, openOtherRoot } from '../images/index.ts';
import { createNameServers, openNetworks } from '../network/index.ts';
import type { Files, Processes, System } from '../ports/index.ts';
import { createPuller, HOLD_MS } from '../pull/index.ts';
import { createPusher } from '../push/index.ts';
import { createRuntime } from '../runtime/index.ts';
import { enginePaths, openDataRoot, readDocument, setAside, writeDocument, type OnDamage } from '../store/index.ts';
import { openVolumeStore } from '../volumes/index.ts';
import { ENGINE_VERSION } from '../version.ts';
import type { DaemonSettings } from './settings.ts';

export interface Engine {
  api: ApiContext;
  containers: ContainerContext;
  /** Starts what the restart policies want; call it once clients are answered. */
  startContainers(): Promise<void>;
  /** Nothing is started again from now on. */
  goDown(): void;
  release(): void;
}

/** Opens the store, puts the network up and finds the containers that are still running. */
export async function composeEngine(given: System, settings: DaemonSettings): Promise<Engine> {
  const { processes } = given;
  const programs = { crun: findProgram(processes, settings.crun, 'crun'), conmon: findProgram(processes, settings.conmon, 'conmon') };
  const paths = enginePaths(settings.dataRoot, settings.execRoot);
  const onDamage = (path: string, error: unknown): void => given.reporter.log('error', 'a part of the store cannot be used', { path, error: messageOf(error) });
  const dataRoot = await openDataRoot(given.files, paths, onDamage);
  const system: System = { ...given, files: dataRoot.files };
  const { files } = system;
  const layers = openLayerStore(files, system.machine, paths, onDamage);
  const images = openImageStore(files, paths, layers, onDamage);
  const nft = settings.bridge === 'none' && processes.find(settings.nft) === undefined ? settings.nft : findProgram(processes, settings.nft, 'nft');
  const networks = openNetworks(
    system,
    {
      folder: paths.networks,
      nft,
      table: settings.bridge === 'minke0' || settings.bridge === 'none' ? 'minke' : `minke_${settings.bridge.replaceAll(/\W/g, '_')}`,
      forward: settings.ipForward,
      mtu: settings.mtu,
      defaultBridge: settings.bridge === 'none' ? undefined : { name: settings.bridge, address: settings.bridgeAddress, masquerade: settings.ipMasquerade },
      created: settings.startedAt,
    },
    onDamage,
  );
  let stopping = false;
  const containers: ContainerContext = {
    system,
    paths,
    images,
    layers,
    volumes: openVolumeStore(files, paths, onDamage),
    networks,
    nameServers: createNameServers(system, nft),
    runtime: createRuntime(system, { ...programs, crunRoot: paths.crunRoot }),
    events: createEventBus(() => system.clock.now()),
    collection: openCollection(files, paths, onDamage),
    rootfs: createRootfsStore(files, paths, layers),
    execs: new Map(),
    dns: { servers: settings.dns, search: settings.dnsSearch, options: settings.dnsOptions },
    cgroupVersion: files.exists('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1,
    swapLimits: files.exists(files.exists('/sys/fs/cgroup/cgroup.controllers') ? '/proc/swaps' : '/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes'),
    seccomp: files.exists('/proc/sys/kernel/seccomp/actions_avail'),
    capabilities: parseBoundingSet(files.readText('/proc/self/status')),
    life: containerLife(() => containers),
    stopping: () => stopping,
  };
  if (networks.all().length > 0) await networks.restore();
  const wanted = await recoverContainers(containers);
  const now = system.clock.now();
  await images.release((_, heldSinceMs) => now - heldSinceMs > HOLD_MS || heldSinceMs > now + HOLD_MS);
  const common = { system, settings, images, layers, events: containers.events, collect: () => images.collect(usedLayers(containers)) };
  const otherRoot = settings.deltaDataRoot === '' ? NO_OTHER_ROOT : openOtherRoot(files, settings.deltaDataRoot);
  const deltas = createDeltas({ system, paths, images, layers, otherRoot, collect: common.collect });
  await deltas.recover();
  await removeOrphans(containers);
  const puller = createPuller({ ...common, dataRoot: paths.dataRoot, deltas, otherRoot });
  const builder = createBuilder({ containers, puller, proxies: settings.proxies, onDamage });
  await builder.recover();
  return {
    containers,
    api: { containers, puller, builder, pusher: createPusher(common), deltas, registry: { system, settings, userAgent: `minke/${ENGINE_VERSION}` }, settings, engineId: await engineId(files, paths.dataRoot, system, onDamage) },
    startContainers: () => startByPolicy(containers, wanted),
    goDown() {
      stopping = true;
    },
    release: () => dataRoot.release(),
  };
}

/** Layers whose image never came to be, or whose image and containers have all gone. */
async function removeOrphans({ images, collection, system }: ContainerContext): Promise<void> {
  const count = await images.collect(new Set(collection.all().flatMap(({ record }) => [...record.diffIds])));
  if (count > 0) system.reporter.log('info', 'layers that belonged to nothing were removed', { count });
}

function findProgram(processes: Processes, name: string, option: string): string {
  const path = processes.find(name);
  if (path === undefined) {
    throw new EngineError('invalid', 'PROGRAM_MISSING', `${name} is not installed`, { hint: `on Debian: apt install ${option === 'nft' ? 'nftables' : option}; or name it with --${option}` });
  }
  return path;
}

async function engineId(files: Files, dataRoot: string, system: System, onDamage: OnDamage): Promise<string> {
  const path = `${dataRoot}/engine-id.json`;
  if (files.exists(path)) {
    try {
      return readDocument<{ id: string }>(files, path).id;
    } catch (error) {
      onDamage(path, error);
      setAside(files, dataRoot, path);
    }
  }
  const digits = system.machine.randomHex(16);
  const id = `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
  await writeDocument(files, path, { id });
  return id;
}
