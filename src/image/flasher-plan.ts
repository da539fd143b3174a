import { OsbuildError, type ImageRequest, type Input, type ProvidedRoot, type Task } from '../model/index.ts';
import { diskAreas } from './boot-areas.ts';
import { parseByteSize } from './byte-size.ts';
import { flasherBlockBytes } from './flasher-payload.ts';
import { flasherLabel, flasherLayout } from './flasher-layout.ts';
import { diskDefaults } from './partition-table.ts';
import { bootParts, commandLine, fromTask, initrdTask, signing, type PlannedImage } from './plan.ts';

/** What the flasher's scripts call; those that make and check file systems stay out. */
const programs = ['/usr/bin/busybox'];
/** The new boot partition is mounted before its disk has a table. */
const modules = ['loop'];

/**
 * Plans the medium that writes a machine's image to its own disk. Pure.
 * @throws OSB_CONFIG_INVALID when the machine has no `flasher`, or aligns partitions to less than a block
 * @param image what `planImage` planned for the same request
 */
export function planFlasher(request: ImageRequest, provided: ProvidedRoot, trees: { tools: string }, image: PlannedImage): PlannedImage {
  const { name, machine } = request.machine;
  const { os, config } = request;
  const { flasher } = machine;
  if (flasher === undefined) throw noFlasher(name);
  const alignment = machine.disk.sectorAlignment ?? diskDefaults.sectorAlignment;
  if (parseByteSize(alignment) % flasherBlockBytes !== 0) {
    throw new OsbuildError('OSB_CONFIG_INVALID', `machines/${name}.yaml: a flasher writes whole blocks of ${flasherBlockBytes} bytes, and disk.sectorAlignment is ${alignment}`, { hint: 'use a multiple of 4KiB' });
  }
  const areas = diskAreas(machine.boot, flasherLayout(name, machine.disk, parseByteSize('80MiB')), `machines/${name}.yaml`);
  const initrd = initrdTask(request, provided, trees, {
    id: `image/${name}/flasher-initrd`,
    title: `flasher's initrd of ${name}`,
    scripts: (path) => path.startsWith('flasher/') || path.startsWith('initrd/lib/'),
    programs,
    modules,
    compression: 'zstd',
    settings: { machine: name, boot_label: flasherLabel, flasher_disks: flasher.disks.join(' ') },
  });
  const imageName = `minke-${name}-${os.version}-flasher`;
  const artifact = (ending: string): Input => fromTask(image.artifacts.find(({ fileName }) => fileName.endsWith(ending))?.ref ?? missing(ending));
  const disk = image.tasks.find(({ kind }) => kind === 'image/disk')?.id ?? missing('disk');
  // Never quiet, nor with a recipe's parameters: what it says is all that tells how far it is.
  const words = commandLine(machine, 'development', []);
  const signed = signing(request, provided, { id: `image/${name}/flasher-sign`, title: `signed kernel of ${name}'s flasher`, initrd: initrd.id, commandLine: words });
  const task: Task<'image/flasher'> = {
    id: `image/${name}/flasher`,
    kind: 'image/flasher',
    title: `flasher of ${name}`,
    args: {
      name,
      machine: bootParts(machine),
      disks: flasher.disks,
      config,
      commandLine: words,
      title: `${os.name} flasher`,
      version: os.version,
      imageName,
      ...areas,
      ...signed.args,
    },
    inputs: {
      tools: { from: 'tree', task: trees.tools },
      deviceTrees: fromTask(provided.deviceTrees),
      bootLoader: fromTask(provided.bootLoader),
      ...signed.inputs,
      image: artifact('.img.zst'),
      bmap: artifact('.bmap'),
      layout: { from: 'task', task: disk, output: 'disk.json' },
    },
    result: 'files',
  };
  const files = { 'flasher.img.zst': '.img.zst', 'flasher.bmap': '.bmap', 'flasher.json': '.json', SHA256SUMS: '.SHA256SUMS' };
  return {
    tasks: [initrd, ...signed.tasks, task],
    artifacts: Object.entries(files).map(([output, ending]) => ({ ref: { task: task.id, output }, fileName: `${imageName}${ending}` })),
  };
}

function noFlasher(name: string): OsbuildError {
  return new OsbuildError('OSB_CONFIG_INVALID', `machines/${name}.yaml has no flasher: it does not say which disk is the board's own`, {
    hint: 'boards that start from a card need none: write the image to the card; otherwise add `flasher: { disks: [...] }`',
  });
}

function missing(what: string): never {
  throw new Error(`the image's plan has no ${what}`);
}
