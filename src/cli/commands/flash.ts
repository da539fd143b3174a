import { access, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';

import { run } from '../../exec/index.ts';
import { flashDisk, headBytes, judgeDisk, listDisks, listDisksThere, openDiskThere, openImage, openLocalDisk, type Disk, type DiskNeeds, type OpenDisk } from '../../flash/index.ts';
import { decodeBmap, type BlockMap } from '../../image/index.ts';
import { OsbuildError } from '../../model/index.ts';
import type { HostConnection } from '../../remote/index.ts';
import { bytesText } from '../../report/index.ts';
import { askOnce } from '../ask.ts';
import { composeImages, diskImage } from '../build/compose.ts';
import { machineOption, oneMachine } from '../build/selection.ts';
import { Session } from '../build/session.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';
import { connectDevice, hostOptions } from '../ssh-host.ts';
import { table } from '../table.ts';
import { buildImage, lockOptions } from './image.ts';

export const flash: Command = {
  name: 'flash',
  usage: '[<image>]',
  summary: 'Write an image to a card, a stick or a disk, of this computer or of a device over SSH, and read it back',
  details:
    '\nThe image of --machine (built first where it has to be), or a file. Without --device the disks are listed; on a terminal one can be chosen. ' +
    'Disks that are in use are refused, fixed ones need --fixed. The partition table is written last: a disk that was not written to its end does not start. ' +
    'With --host it is a disk of that device, as a second card or its eMMC: what is used of the image travels compressed, and is read back there. The OS that a device runs is replaced by an update, not by this.',
  options: {
    ...machineOption,
    ...lockOptions,
    host: { type: 'string', value: '[user@]host[:port]', help: 'a disk of this device, over SSH (user root, port 22222)' },
    ...hostOptions,
    device: { type: 'string', short: 'd', value: 'device', help: 'the disk, such as /dev/sdb' },
    fixed: { type: 'boolean', help: 'also a disk that cannot be taken out' },
    yes: { type: 'boolean', short: 'y', help: 'do not ask before everything on the disk is lost' },
  },
  arguments: { min: 0, max: 1 },
  async run(invocation) {
    const word = invocation.flags.text('host');
    if (word === undefined) {
      if (invocation.flags.text('identity') !== undefined) throw new OsbuildError('OSB_USAGE', '--identity is for --host', { hint: 'name the device with --host' });
      return flashOn(invocation, thisHost(invocation));
    }
    const connection = await connectDevice(invocation, word, 'the disk was not written to its end and does not start: run the same command again');
    try {
      return await flashOn(invocation, otherHost(invocation, connection));
    } finally {
      connection.close();
    }
  },
};

/** Whose disks they are. */
interface DiskHost {
  /** null: this computer. */
  name: string | null;
  list(): Promise<Disk[]>;
  open(disk: Disk): Promise<OpenDisk>;
  /** After a disk was written. */
  done(disk: Disk): Promise<void>;
}

function thisHost({ hostEnvironment, signal }: Invocation): DiskHost {
  const host = { env: hostEnvironment, signal, log: () => undefined };
  return {
    name: null,
    list: () => listDisks(hostEnvironment, signal),
    open: ({ path, sizeBytes }) => openLocalDisk(path, sizeBytes, async () => void (await run(['blockdev', '--flushbufs', path], host))),
    // Only this host's own view of the disk.
    done: async ({ path }) => void (await run(['blockdev', '--rereadpt', path], host).catch(() => undefined)),
  };
}

function otherHost({ signal }: Invocation, connection: HostConnection): DiskHost {
  return {
    name: connection.name,
    list: () => listDisksThere(connection, signal),
    open: ({ path, sizeBytes }) => openDiskThere({ connection, path, sizeBytes, headBytes, signal }),
    done: async () => undefined,
  };
}

async function flashOn(invocation: Invocation, host: DiskHost): Promise<number> {
  const { flags, signal, emit, out } = invocation;
  const disks = await host.list();
  if (invocation.words[0] === undefined && flags.texts('machine').length === 0) return showDisks(invocation, host, disks);
  const image = invocation.words[0] === undefined ? await builtImage(invocation) : resolve(invocation.cwd, invocation.words[0]);
  const map = await blockMap(image);
  const disk = await choose(invocation, host, disks, map.imageBytes);
  const where = host.name === null ? '' : ` of ${host.name}`;
  await confirm(invocation, disk, where, image);
  const id = `flash/${basename(disk.path)}`;
  const title = `Write ${basename(image)} to ${disk.path}${where}`;
  const begin = performance.now();
  emit({ type: 'task-start', id, title });
  const { writtenBytes } = await flashDisk({
    image: openImage(image),
    map,
    disk: await host.open(disk),
    signal,
    progress: (stage, done, total) => emit({ type: 'task-progress', id, done, total, unit: 'bytes', detail: stage === 'write' ? 'written' : 'read back' }),
  });
  emit({ type: 'task-done', id, title, cached: false, durationMs: Math.round(performance.now() - begin) });
  await host.done(disk);
  if (flags.on('json')) out(`${JSON.stringify({ type: 'flashed', device: disk.path, ...(host.name === null ? {} : { host: host.name }), image, writtenBytes })}\n`);
  else out(`${disk.path}${where} holds the image: ${bytesText(writtenBytes)} written and read back. It can be taken out.\n`);
  return 0;
}

/** The image of --machine, built where it is not there yet. */
async function builtImage(invocation: Invocation): Promise<string> {
  const project = await openProject(invocation);
  const session = new Session(invocation, project);
  const { plan, images } = await composeImages(invocation, project, [oneMachine(invocation, project)], session.world);
  const [built] = images;
  if (!built) throw new Error('no image was composed');
  return join(await buildImage(invocation, session, await session.key(plan), built), diskImage(built).fileName);
}

async function blockMap(image: string): Promise<BlockMap> {
  const path = `${image.replace(/(\.img)?(\.zst)?$/, '')}.bmap`;
  if (!(await access(image).then(() => true, () => false))) throw new OsbuildError('OSB_USAGE', `there is no image ${image}`, { hint: 'an .img.zst or .img, or --machine' });
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw new OsbuildError('OSB_USAGE', `the image has no block map ${path}`, { hint: 'it is built with the image and lies beside it: it tells what to write and how to know that it was', cause });
  });
  return decodeBmap(text);
}

const needsOf = ({ flags }: Invocation, { name }: DiskHost, imageBytes: number): DiskNeeds => ({ imageBytes, fixed: flags.on('fixed'), ...(name === null ? {} : { host: name }) });

function showDisks(invocation: Invocation, host: DiskHost, disks: readonly Disk[]): number {
  const { flags, out } = invocation;
  const needs = needsOf(invocation, host, 0);
  if (flags.on('json')) {
    for (const disk of disks) out(`${JSON.stringify({ ...disk, ...judgeDisk(disk, needs) })}\n`);
    return 0;
  }
  const rows = disks.map((disk) => [disk.path, bytesText(disk.sizeBytes), disk.transport || '–', disk.model || '–', verdict(disk, needs)]);
  out(table(['DISK', 'SIZE', 'BUS', 'MODEL', 'CAN BE WRITTEN'], rows));
  return 0;
}

function verdict(disk: Disk, needs: DiskNeeds): string {
  const judgement = judgeDisk(disk, needs);
  return judgement.free ? 'yes' : judgement.overridable === undefined ? `no: ${judgement.why}` : `with ${judgement.overridable}`;
}

async function choose(invocation: Invocation, host: DiskHost, disks: readonly Disk[], imageBytes: number): Promise<Disk> {
  const { flags, interactive, err } = invocation;
  const needs = needsOf(invocation, host, imageBytes);
  const lister = `\`osbuild flash${host.name === null ? '' : ` --host ${flags.text('host')}`}\` lists the disks`;
  const free = disks.filter((disk) => judgeDisk(disk, needs).free);
  let named = flags.text('device');
  if (named === undefined) {
    if (!interactive || free.length === 0) {
      throw new OsbuildError('OSB_USAGE', free.length === 0 ? 'there is no disk that may be written' : 'which disk?', { hint: `${lister}; then --device` });
    }
    err(free.map((disk) => `  ${disk.path}  ${bytesText(disk.sizeBytes)}  ${disk.model}\n`).join(''));
    named = await askOnce(invocation, `Disk to write${free.length === 1 ? ` (empty: ${free[0]?.path})` : ''}: `) || (free.length === 1 ? free[0]?.path : '');
  }
  const disk = disks.find(({ path }) => path === named);
  if (!disk) {
    const whole = disks.find(({ path }) => named?.startsWith(path) === true);
    throw new OsbuildError('OSB_DISK_REFUSED', `${named} is no disk of ${host.name ?? 'this host'}`, { hint: whole ? `an image goes onto a whole disk: ${whole.path}` : lister });
  }
  const judgement = judgeDisk(disk, needs);
  if (!judgement.free) throw new OsbuildError('OSB_DISK_REFUSED', `${disk.path} is not written: ${judgement.why}`, { hint: judgement.hint });
  return disk;
}

async function confirm(invocation: Invocation, disk: Disk, where: string, image: string): Promise<void> {
  if (invocation.flags.on('yes')) return;
  const what = `everything on ${disk.path}${where} (${[bytesText(disk.sizeBytes), disk.model].filter(Boolean).join(', ')}) is lost`;
  if (!invocation.interactive) throw new OsbuildError('OSB_USAGE', `not written without a word: ${what}`, { hint: '--yes, where nobody can be asked' });
  const answer = await askOnce(invocation, `${basename(image)}: ${what}. Type its name to go on: `);
  if (answer !== disk.path && answer !== basename(disk.path)) throw new OsbuildError('OSB_CANCELLED', 'cancelled: nothing was written');
}
