import { EngineError } from '../error.ts';
import type { ImageRunConfig } from '../images/index.ts';
import { DEFAULT_BRIDGE_ID, planPorts, type Network } from '../network/index.ts';
import { endpointExtras, freeInsideName, planAttachment } from './attachments.ts';
import type { CreateRequest, EndpointRequest, HostConfig } from './config.ts';
import type { Container } from './collection.ts';
import { containerCapabilities } from './capabilities.ts';
import { emit, nowIso, type ContainerContext } from './context.ts';
import { commandLine, mergeImage } from './merge-image.ts';
import { planMounts, type PlannedMount } from './mount-plan.ts';
import { checkContainerName, inventName } from './names.ts';
import { initialState, type Attachment, type ContainerRecord, type MountPoint } from './record.ts';
import { parseSignal } from './signals.ts';
import { securityOptions } from './spec.ts';
import { borrowedMounts } from './volumes-from.ts';

export interface CreatedContainer {
  id: string;
  warnings: string[];
}

/** What a container stands on. */
export interface ContainerBase {
  id: string;
  diffIds: readonly string[];
  config: ImageRunConfig;
}

function findBase({ images }: ContainerContext, name: string): ContainerBase {
  if (name === '') throw new EngineError('invalid', 'IMAGE_MISSING', 'no image specified');
  const image = images.find(name);
  if (image === undefined) throw new EngineError('not-found', 'IMAGE_UNKNOWN', `No such image: ${name.includes(':') || name.includes('@') ? name : `${name}:latest`}`);
  return { id: image.id, diffIds: image.diffIds, config: images.config(image.id).config ?? {} };
}

/** Docker's rule: with a limit for memory and none for swap space, as much of that again. */
export function withSwapLimit(host: HostConfig, supported: boolean): HostConfig {
  return supported && host.Memory > 0 && host.MemorySwap === 0 ? { ...host, MemorySwap: 2 * host.Memory } : host;
}

/** Makes a container: checks everything that can be checked before it starts, then its folder, volumes and record. `base` in place of the image that the request names. */
export async function createContainer(context: ContainerContext, wantedName: string, request: CreateRequest, base?: ContainerBase): Promise<CreatedContainer> {
  const { system, collection, rootfs } = context;
  const image = base ?? findBase(context, request.config.Image);
  const config = mergeImage(request.config, image.config);
  const hostConfig = withSwapLimit(request.hostConfig, context.swapLimits);
  const argv = commandLine(config);
  if (config.StopSignal !== undefined) parseSignal(config.StopSignal);
  containerCapabilities(hostConfig.Privileged, hostConfig.CapAdd ?? [], hostConfig.CapDrop ?? [], context.capabilities);
  securityOptions(hostConfig);
  refuseUnsupported(request);
  planPorts(hostConfig.PortBindings, Object.keys(config.ExposedPorts ?? {}), hostConfig.PublishAllPorts);
  const mounts = planMounts(hostConfig, Object.keys(config.Volumes ?? {}), borrowedMounts(context, hostConfig.VolumesFrom ?? []));
  checkSources(context, mounts);
  const network = networkName(context, request);
  const attachments = planAttachments(context, network, request);

  const id = system.machine.randomHex(32);
  const name = wantedName === '' ? inventName(collection.hasName, system.machine.randomHex) : checkContainerName(wantedName);
  if (config.Hostname === '' && hostConfig.UTSMode !== 'host') config.Hostname = hostConfig.NetworkMode === 'host' ? system.machine.hostname() : id.slice(0, 12);
  const record: ContainerRecord = {
    id,
    name,
    created: nowIso(context),
    imageId: image.id,
    imageName: request.config.Image,
    diffIds: image.diffIds,
    config,
    hostConfig,
    endpoints: request.endpoints,
    mounts: [],
    argv,
    endpoint: { network, ports: [] },
    attachments,
    state: initialState(),
  };
  rootfs.prepare(id);
  let container: Container | undefined;
  try {
    container = await collection.add(record);
    record.mounts = await makeMounts(context, container, mounts);
    await collection.save(container);
  } catch (error) {
    if (container !== undefined) await collection.forget(container);
    await system.files.removeTree(collection.folder(id));
    throw error;
  }
  emit(context, container, 'create');
  return { id, warnings: [] };
}

function refuseUnsupported({ hostConfig }: CreateRequest): void {
  const no = (what: string): EngineError => new EngineError('not-implemented', 'OPTION_UNSUPPORTED', `${what} is not supported yet`);
  if (hostConfig.UsernsMode !== '' && hostConfig.UsernsMode !== 'host') throw no('a user namespace mode');
}

function checkSources(context: ContainerContext, mounts: readonly PlannedMount[]): void {
  for (const mount of mounts) {
    if (mount.type !== 'bind' || mount.createSource || context.system.files.exists(mount.source)) continue;
    throw new EngineError('invalid', 'MOUNT_SOURCE_MISSING', `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`);
  }
}

function networkName(context: ContainerContext, { hostConfig, config }: CreateRequest): string {
  const mode = config.NetworkDisabled === true ? 'none' : hostConfig.NetworkMode;
  if (mode === 'host' || mode === 'none') return mode;
  // Whether it is there is asked at the start: at a create, clients take "not found" for a missing image.
  if (mode !== 'default' && mode !== 'bridge') return mode;
  if (context.networks.byId(DEFAULT_BRIDGE_ID) === undefined) throw new EngineError('invalid', 'BRIDGE_DISABLED', 'the daemon runs without a bridge network; use --network host or none');
  return 'bridge';
}

/**
 * The networks that a container is to be on: the one of its mode, then the others of its request. Whether they exist is asked at the start, as
 * Docker does: at a create, clients take "not found" for a missing image.
 */
function planAttachments(context: ContainerContext, mode: string, { endpoints, config }: CreateRequest): Attachment[] {
  if (mode === 'host' || mode === 'none' || mode.startsWith('container:')) return [];
  const { networks, system } = context;
  const named = new Map<string, EndpointRequest>([[mode, {}]]);
  for (const [name, request] of Object.entries(endpoints)) {
    const same = [...named.keys()].find((known) => known === (name === 'default' ? 'bridge' : name) || sameNetwork(networks.find(known), networks.find(name)));
    named.set(same ?? name, request);
  }
  const attachments: Attachment[] = [];
  for (const [name, request] of named) {
    const network = networks.find(name);
    const wanted = name === mode && request.MacAddress === undefined && config.MacAddress !== undefined ? { ...request, MacAddress: config.MacAddress } : request;
    const endpointId = system.machine.randomHex(32);
    const insideName = freeInsideName(attachments);
    attachments.push(network === undefined ? unknownNetwork(name, wanted, insideName, endpointId) : planAttachment(network, wanted, insideName, endpointId));
  }
  return attachments;
}

function sameNetwork(one: Network | undefined, other: Network | undefined): boolean {
  return one !== undefined && one === other;
}

/** It is looked up again by name when the container starts. */
function unknownNetwork(name: string, request: EndpointRequest, insideName: string, endpointId: string): Attachment {
  return { networkId: name, endpointId, insideName, wantedAddress: request.IPAMConfig?.IPv4Address ?? '', wantedMac: request.MacAddress ?? '', aliases: request.Aliases ?? [], links: request.Links ?? [], ...endpointExtras(request), address: '', mac: '' };
}

async function makeMounts(context: ContainerContext, container: Container, plan: readonly PlannedMount[]): Promise<MountPoint[]> {
  const { volumes, system, rootfs } = context;
  const mounts: MountPoint[] = [];
  for (const { copyUp, createSource, labels, ...mount } of plan) {
    if (mount.type === 'bind' && createSource && !system.files.exists(mount.source)) system.files.mkdirs(mount.source, 0o755);
    if (mount.type === 'volume') {
      const name = mount.name === '' ? system.machine.randomHex(32) : mount.name;
      const { fresh } = await volumes.ensure({ name, created: nowIso(context), labels, options: {}, anonymous: mount.anonymous });
      if (fresh) context.events.emit('volume', 'create', name, { driver: 'local' });
      mount.name = name;
      mount.source = volumes.path(name);
      if (copyUp && system.files.readdir(mount.source).length === 0) {
        rootfs.mount(container.id, container.record.diffIds);
        try {
          await copyFromImage(context, rootfs.path(container.id), mount);
        } finally {
          rootfs.unmount(container.id);
        }
      }
    }
    mounts.push(mount);
  }
  return mounts;
}

/** A new volume starts with what the image has at its place, owner and mode of the place itself included. */
async function copyFromImage({ system }: ContainerContext, rootfsPath: string, mount: MountPoint): Promise<void> {
  const { files } = system;
  const root = files.openRoot(rootfsPath);
  try {
    let inside: string;
    try {
      inside = root.resolve(mount.destination);
      if (root.stat(inside).type !== 'directory') return;
    } catch {
      return;
    }
    const { mode, uid, gid } = root.stat(inside);
    files.chown(mount.source, uid, gid);
    files.chmod(mount.source, mode & 0o7777);
    await files.copyTree(`${rootfsPath}${inside}`, mount.source);
  } finally {
    root.close();
  }
}
