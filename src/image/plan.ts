import type { AnyTask, ImageRequest, Input, Machine, OutputRef, PreloadedImage, ProvidedRoot, Task, UnifiedBoot } from '../model/index.ts';
import { diskAreas } from './boot-areas.ts';
import { loaderProgram, stubProgram } from './boot-files.ts';
import { factoryIdentity } from './identity.ts';
import { partition, planPartitions, type PartitionName } from './partition-table.ts';

/** The tasks of an image, and which of their outputs are handed to the user under which names. */
export interface PlannedImage {
  tasks: AnyTask[];
  artifacts: Array<{ ref: OutputRef; fileName: string }>;
}

/** Measured against zstd in docs/decisions: less CPU at every boot for a somewhat larger slot. */
const rootCompression = 'lz4hc,level=3';
/** How the file name of an image's kernel headers ends. */
export const kernelHeadersEnd = '.kernel-headers.tar.zst';
const initrdFolder = 'initrd/';
/** systemd-boot leaves word of the disk it started from in an EFI variable. */
const loaderModules: Record<Machine['boot']['method'], string[]> = { 'systemd-boot': ['efivarfs'], 'u-boot': [] };

/** What maps a slot (recipes/initrd, lib/verity.sh), and whatever the kernel has to compute SHA-256 with. */
const verityModules = ['dm-mod', 'dm-verity', 'crypto-sha256'];

/** Content of the data partition, made before (src/preload). */
export interface Preload {
  /** tar, and how much it is. */
  data: OutputRef;
  facts: OutputRef;
  /** Tools tree with `preloadTools`. */
  tools: string;
  images: PreloadedImage[];
}

/**
 * Plans everything from the root to the artifacts. Pure.
 * @throws OSB_CONFIG_INVALID when boot areas overlap
 * @param trees task of the tools tree with `imageTools`; `initrdPrograms`: programs of ours for the initrd by their name, minke-verity among them
 */
export function planImage(request: ImageRequest, provided: ProvidedRoot, trees: { tools: string; initrdPrograms: Record<string, OutputRef> }, preload?: Preload): PlannedImage {
  const { name, machine } = request.machine;
  const { os, mode, config } = request;
  const imageName = `minke-${name}-${os.version}`;
  const id = (step: string): string => `image/${name}/${step}`;
  const tools: Input = { from: 'tree', task: trees.tools };
  const initrd = initrdTask(request, provided, trees, {
    id: id('initrd'),
    title: `initrd of ${name}`,
    scripts: (path) => path.startsWith(initrdFolder),
    programs: unique(request.recipes.flatMap(({ recipe }) => recipe.initrd?.programs ?? [])),
    modules: verityModules,
    built: trees.initrdPrograms,
    compression: machine.kernel.initrdCompression ?? 'zstd',
    settings: initrdSettings(name, machine),
  });
  const slot: Task<'image/slot'> = {
    id: id('slot'),
    kind: 'image/slot',
    title: `root of ${name} (erofs)`,
    args: { compression: rootCompression },
    inputs: { tools, rootfs: fromTask(provided.rootfs) },
    result: 'files',
  };
  const verity: Task<'image/verity'> = {
    id: id('verity'),
    kind: 'image/verity',
    title: `hash tree of ${name}`,
    args: {},
    inputs: { root: { from: 'task', task: slot.id, output: 'root.erofs' } },
    result: 'files',
  };
  const verityParameters: Input = { from: 'task', task: verity.id, output: 'verity.json' };
  const words = commandLine(machine, mode, request.recipes);
  const signed = signing(request, provided, { id: id('sign'), title: `signed kernel of ${name}`, initrd: initrd.id, commandLine: words, verity: verityParameters });
  const boot: Task<'image/boot'> = {
    id: id('boot'),
    kind: 'image/boot',
    title: `boot files of ${name}`,
    args: { name, machine: bootParts(machine), config, commandLine: words, title: os.name, version: os.version, ...signed.args },
    inputs: {
      tools,
      deviceTrees: fromTask(provided.deviceTrees),
      bootLoader: fromTask(provided.bootLoader),
      ...signed.inputs,
      verity: verityParameters,
    },
    result: 'files',
  };
  const update: Task<'image/update'> = {
    id: id('update'),
    kind: 'image/update',
    title: `OS image of ${name} for updates`,
    args: { machine: name, arch: machine.arch, os, mode, commandLine: words, loader: machine.boot.method, compression: rootCompression, signers: request.signers, reference: `minke-os/${name}:${os.version.replace(/[^\w.-]/g, '-')}`, ...(request.secureBoot === undefined ? {} : { unified: { certificate: request.secureBoot.fingerprint } }) },
    inputs: { tools, root: fromTask(provided.rootfs), slot: { from: 'task', task: slot.id, output: 'root.erofs' }, boot: { from: 'task', task: boot.id, output: 'slot.tar' }, verity: verityParameters },
    result: 'files',
  };
  const bootPartition: Task<'image/boot-partition'> = {
    id: id('boot-partition'),
    kind: 'image/boot-partition',
    title: `boot partition of ${name}`,
    args: { name, disk: machine.disk },
    inputs: {
      tools,
      boot: { from: 'task', task: boot.id, output: 'boot.tar' },
      slotFiles: { from: 'task', task: boot.id, output: 'slot.tar' },
      root: fromTask(provided.rootfs),
      config: { from: 'task', task: update.id, output: 'config.json' },
    },
    result: 'files',
  };
  const areas = diskAreas(machine.boot, planPartitions(name, machine.disk), `machines/${name}.yaml`);
  const disk: Task<'image/disk'> = {
    id: id('disk'),
    kind: 'image/disk',
    title: `disk image of ${name}`,
    args: { name, disk: machine.disk, ...areas, ...(preload === undefined ? {} : { preloaded: true as const }) },
    inputs: {
      tools,
      root: { from: 'task', task: slot.id, output: 'root.erofs' },
      tree: { from: 'task', task: verity.id, output: 'root.verity' },
      boot: { from: 'task', task: bootPartition.id, output: 'boot.vfat' },
      ...(areas.areas === undefined ? {} : { bootLoader: fromTask(provided.bootLoader) }),
      ...(preload === undefined ? {} : { data: fromTask(preload.data), dataFacts: fromTask(preload.facts), dataTools: { from: 'tree' as const, task: preload.tools } }),
    },
    result: 'files',
  };
  const fingerprint: Task<'image/fingerprint'> = {
    id: id('fingerprint'),
    kind: 'image/fingerprint',
    title: `fingerprint of ${name}`,
    args: {},
    inputs: { rootfs: fromTask(provided.rootfs), ...(provided.digests ? { digests: fromTask(provided.digests) } : {}) },
    result: 'files',
  };
  const describe: Task<'image/describe'> = {
    id: id('describe'),
    kind: 'image/describe',
    title: `manifest, SBOM and checksums of ${name}`,
    args: { name, machine: describedParts(machine), os, mode, imageName, ...(preload === undefined ? {} : { preloaded: preload.images }) },
    inputs: {
      packages: fromTask(provided.manifest),
      initrd: { from: 'task', task: initrd.id, output: 'initrd.json' },
      image: { from: 'task', task: disk.id, output: 'disk.img.zst' },
      bmap: { from: 'task', task: disk.id, output: 'disk.bmap' },
      layout: { from: 'task', task: disk.id, output: 'disk.json' },
      fingerprint: { from: 'task', task: fingerprint.id, output: 'fingerprint.sha256' },
      update: { from: 'task', task: update.id, output: 'os.tar' },
      ...(provided.kernelHeaders === undefined ? {} : { headers: fromTask(provided.kernelHeaders) }),
    },
    result: 'files',
  };
  const papers = ['manifest.json', 'sbom.cdx.json', 'image.json'].map((output) => ({ ref: { task: describe.id, output }, fileName: output }));
  return {
    tasks: [initrd, slot, verity, fingerprint, ...signed.tasks, boot, update, bootPartition, disk, describe],
    artifacts: [
      { ref: { task: disk.id, output: 'disk.img.zst' }, fileName: `${imageName}.img.zst` },
      { ref: { task: disk.id, output: 'disk.bmap' }, fileName: `${imageName}.bmap` },
      { ref: { task: update.id, output: 'os.tar' }, fileName: `${imageName}.os.tar` },
      ...(provided.kernelHeaders === undefined ? [] : [{ ref: provided.kernelHeaders, fileName: `${imageName}${kernelHeadersEnd}` }]),
      ...papers,
      { ref: { task: fingerprint.id, output: 'fingerprint.sha256' }, fileName: 'fingerprint.sha256' },
      { ref: { task: describe.id, output: 'SHA256SUMS' }, fileName: 'SHA256SUMS' },
    ],
  };
}

/** Kernel and initrd of a boot partition, and what its step is told of them: signed as one program where the request says so. */
export function signing(
  { secureBoot, machine: { machine }, os }: ImageRequest,
  provided: ProvidedRoot,
  kind: { id: string; title: string; initrd: string; commandLine: string[]; verity?: Input },
): { tasks: AnyTask[]; args: { unified?: UnifiedBoot }; inputs: Record<string, Input> } {
  const { boot } = machine;
  const kernel = fromTask(provided.kernel);
  const initrd: Input = { from: 'task', task: kind.initrd, output: 'initrd.img' };
  if (secureBoot === undefined || boot.method !== 'systemd-boot') return { tasks: [], args: {}, inputs: { kernel, initrd } };
  const sign: Task<'secure-boot/sign'> = {
    id: kind.id,
    kind: 'secure-boot/sign',
    title: kind.title,
    args: { certificate: secureBoot.certificate, os, package: boot.package.package, loader: loaderProgram(boot), stub: stubProgram(boot), commandLine: kind.commandLine, slots: kind.verity !== undefined },
    inputs: { kernel, initrd, initrdReport: { from: 'task', task: kind.initrd, output: 'initrd.json' }, bootLoader: fromTask(provided.bootLoader), ...(kind.verity === undefined ? {} : { verity: kind.verity }) },
    result: 'files',
  };
  const made = (output: string): Input => ({ from: 'task', task: sign.id, output });
  const { enroll } = secureBoot;
  return {
    tasks: [sign],
    args: { unified: { enroll: (enroll?.files ?? []).map(({ path }) => path) } },
    inputs: { kernel: made('kernel.efi'), loader: made('loader.efi'), ...(enroll === undefined ? {} : { enroll: { from: 'sources', root: enroll.root, files: enroll.files } }) },
  };
}

/** What tells an initrd from another one of the same machine. */
interface InitrdKind {
  id: string;
  title: string;
  /** Which files of recipes' folders go in. */
  scripts(path: string): boolean;
  programs: string[];
  /** Beside those that recipes ask for. */
  modules: string[];
  /** Programs of ours by their name in /usr/sbin. */
  built?: Record<string, OutputRef>;
  compression: 'zstd' | 'none';
  settings: Record<string, string>;
}

/** The task that makes an initrd. */
export function initrdTask(request: ImageRequest, provided: ProvidedRoot, trees: { tools: string }, kind: InitrdKind): Task<'image/initrd'> {
  const { machine } = request.machine;
  const scripted = request.recipes.filter(({ files }) => files.some(({ path }) => kind.scripts(path)));
  return {
    id: kind.id,
    kind: 'image/initrd',
    title: kind.title,
    args: {
      arch: machine.arch,
      modules: unique([...request.recipes.flatMap(({ recipe }) => recipe.initrd?.modules ?? []), ...kind.modules, ...loaderModules[machine.boot.method]]),
      drivers: unique(machine.kernel.initrdModules ?? []),
      compression: kind.compression,
      programs: kind.programs,
      built: Object.keys(kind.built ?? {}),
      settings: kind.settings,
      scripts: scripted.map((source) => `scripts:${source.name}`),
    },
    inputs: {
      tools: { from: 'tree', task: trees.tools },
      modules: fromTask(provided.modules),
      packages: fromTask(provided.initrdPackages),
      ...Object.fromEntries(Object.entries(kind.built ?? {}).map(([program, ref]) => [`built:${program}`, fromTask(ref)])),
      ...Object.fromEntries(
        scripted.map(({ name: recipe, folder, files }): [string, Input] => [`scripts:${recipe}`, { from: 'sources', root: folder, files: files.filter(({ path }) => kind.scripts(path)) }]),
      ),
    },
    result: 'files',
  };
}

/** Variables of the initrd's scripts (/etc/minke/initrd.conf). */
export function initrdSettings(name: string, machine: Machine): Record<string, string> {
  const layout = planPartitions(name, machine.disk);
  const identity = factoryIdentity(name);
  const number = (part: PartitionName): string => String(partition(layout, part).number);
  return {
    machine: name,
    root_type: 'erofs',
    restart_delay: '30',
    table: layout.table,
    disk_id: layout.diskId,
    boot_volume_id: identity.bootVolumeId,
    state_uuid: identity.stateUuid,
    data_uuid: identity.dataUuid,
    root_a_partition: number('rootA'),
    root_b_partition: number('rootB'),
    state_partition: number('state'),
    data_partition: number('data'),
  };
}

/** Kernel parameters of an image: the board's own first, then ours, then those of its recipes: of two that contradict each other the kernel takes the last. */
export function commandLine(machine: Machine, mode: ImageRequest['mode'], recipes: ImageRequest['recipes']): string[] {
  return unique([
    ...(machine.kernel.commandLine ?? []),
    // A primary table that a power cut damaged does not hide the copy at the disk's end.
    ...(machine.disk.table === 'gpt' ? ['gpt'] : []),
    // A kernel that fails must not stand still. Partitions are mounted by our initrd alone.
    'panic=10',
    'systemd.gpt_auto=0',
    // Notices and worse: the lines of a whole boot take seconds on a serial console. In production none of it.
    mode === 'production' ? 'quiet' : 'loglevel=6',
    ...recipes.flatMap(({ recipe }) => recipe.kernelParameters ?? []),
  ]);
}

/** What the boot partition depends on: a change of a machine's QEMU lane must not make it again. */
export function bootParts(machine: Machine): Pick<Machine, 'kernel' | 'boot' | 'disk' | 'files'> {
  const { kernel, boot, disk, files } = machine;
  const { debian, source, artifact, deviceTrees } = kernel;
  return { kernel: { ...(debian === undefined ? {} : { debian }), ...(source === undefined ? {} : { source }), ...(artifact === undefined ? {} : { artifact }), ...(deviceTrees === undefined ? {} : { deviceTrees }) }, boot, disk, ...(files === undefined ? {} : { files }) };
}

function describedParts(machine: Machine): Task<'image/describe'>['args']['machine'] {
  const { description, aliases, arch, instructions } = machine;
  return { description, arch, ...bootParts(machine), ...(aliases === undefined ? {} : { aliases }), ...(instructions === undefined ? {} : { instructions }) };
}

export const fromTask = (ref: OutputRef): Input => ({ from: 'task', task: ref.task, output: ref.output });
const unique = (names: string[]): string[] => [...new Set(names)];
