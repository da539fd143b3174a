import { EngineError } from '../error.ts';
import { parseIpv4, planPorts } from '../network/index.ts';
import type { CreateRequest } from './config.ts';
import type { Container } from './collection.ts';
import { containerCapabilities } from './capabilities.ts';
import { emit, nowIso, type ContainerContext } from './context.ts';
import { commandLine, mergeImage } from './merge-image.ts';
import { planMounts, type PlannedMount } from './mount-plan.ts';
import { checkContainerName, inventName } from './names.ts';
import { initialState, type ContainerRecord, type MountPoint } from './record.ts';
import { parseSignal } from './signals.ts';
import { securityOptions } from './spec.ts';

export interface CreatedContainer {
  id: string;
  warnings: string[];
}

/** Makes a container: checks everything that can be checked before it starts, then its folder, volumes and record. */
export async function createContainer(context: ContainerContext, wantedName: string, request: CreateRequest): Promise<CreatedContainer> {
  const { system, images, collection, rootfs } = context;
  if (request.config.Image === '') throw new EngineError('invalid', 'IMAGE_MISSING', 'no image specified');
  const image = images.find(request.config.Image);
  if (image === undefined) throw new EngineError('not-found', 'IMAGE_UNKNOWN', `No such image: ${request.config.Image.includes(':') || request.config.Image.includes('@') ? request.config.Image : `${request.config.Image}:latest`}`);
  const imageConfig = images.config(image.id);
  const config = mergeImage(request.config, imageConfig.config ?? {});
  const { hostConfig } = request;
  const argv = commandLine(config);
  if (config.StopSignal !== undefined) parseSignal(config.StopSignal);
  containerCapabilities(hostConfig.Privileged, hostConfig.CapAdd ?? [], hostConfig.CapDrop ?? [], context.capabilities);
  securityOptions(hostConfig);
  refuseUnsupported(request);
  planPorts(hostConfig.PortBindings, Object.keys(config.ExposedPorts ?? {}), hostConfig.PublishAllPorts);
  const mounts = planMounts(hostConfig, Object.keys(config.Volumes ?? {}));
  checkSources(context, mounts);
  const network = networkName(context, request);

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
    endpoint: { network, address: '', mac: '', ports: [] },
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
  if (hostConfig.Init === true) throw no('an init process (--init)');
  if (hostConfig.VolumesFrom !== null && hostConfig.VolumesFrom.length > 0) throw no('--volumes-from');
  if (hostConfig.UsernsMode !== '' && hostConfig.UsernsMode !== 'host') throw no('a user namespace mode');
}

function checkSources(context: ContainerContext, mounts: readonly PlannedMount[]): void {
  for (const mount of mounts) {
    if (mount.type !== 'bind' || mount.createSource || context.system.files.exists(mount.source)) continue;
    throw new EngineError('invalid', 'MOUNT_SOURCE_MISSING', `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`);
  }
}

function networkName(context: ContainerContext, { hostConfig, config, endpoints }: CreateRequest): string {
  const mode = config.NetworkDisabled === true ? 'none' : hostConfig.NetworkMode;
  if (mode === 'host' || mode === 'none') return mode;
  if (mode.startsWith('container:')) {
    context.collection.find(mode.slice('container:'.length));
    return mode;
  }
  // Whether it exists is asked at the start, as Docker does: at a create, clients take "not found" for a missing image.
  if (mode !== 'default' && mode !== 'bridge') return mode;
  if (context.bridge === undefined) throw new EngineError('invalid', 'BRIDGE_DISABLED', 'the daemon runs without a bridge network; use --network host or none');
  for (const { IPAMConfig } of Object.values(endpoints)) {
    if (IPAMConfig?.IPv4Address !== undefined && parseIpv4(IPAMConfig.IPv4Address) !== undefined) {
      throw new EngineError('invalid', 'STATIC_ADDRESS', 'user specified IP address is supported on user defined networks only');
    }
  }
  return 'bridge';
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
