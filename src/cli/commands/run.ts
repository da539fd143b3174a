import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

import { ownIdentity } from '../../cache/index.ts';
import { runInteractively } from '../../device/index.ts';
import { OsbuildError } from '../../model/index.ts';
import { composeImages, diskImage } from '../build/compose.ts';
import { oneMachine, machineOption } from '../build/selection.ts';
import { Session } from '../build/session.ts';
import { emulation, planToolsTree } from '../build/trees.ts';
import type { Command } from '../command.ts';
import { openProject } from '../project.ts';
import { buildImage, lockOptions } from './image.ts';

export const runCommand: Command = {
  name: 'run',
  usage: '--machine <machine>',
  summary: 'Boot the image of a machine in QEMU, with its console here and its ports forwarded',
  details: '\nA copy is booted: the image stays as it is. Ctrl-A X ends it. SSH is forwarded to a free port unless --forward names others.',
  options: {
    ...machineOption,
    ...lockOptions,
    forward: { type: 'string', short: 'p', multiple: true, value: 'host:guest', help: 'a port of the board to offer on this host (default: a free one for 22222)' },
    'ssh-key': { type: 'string', value: 'file', help: 'public key to let in (default: your ~/.ssh/id_ed25519.pub, where there is one)' },
    hostname: { type: 'string', value: 'name', help: 'name of the board' },
    keep: { type: 'string', value: 'folder', help: 'keep the disk in this folder and boot it again the next time' },
    kvm: { type: 'boolean', help: 'use KVM, for machines of this host’s own architecture' },
  },
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const { flags, layout, hostEnvironment, signal, emit, err } = invocation;
    const project = await openProject(invocation);
    const machine = oneMachine(invocation, project);
    if (!machine.machine.qemu) throw new OsbuildError('OSB_USAGE', `${machine.name} has no QEMU lane`, { hint: '`osbuild machines` shows which machines have one' });
    const forward = flags.texts('forward').map(parseForward);
    const session = new Session(invocation, project);
    const composed = await composeImages(invocation, project, [machine], session.world);
    const [built] = composed.images;
    if (!built) throw new Error('no image was composed');
    const tree = await planToolsTree(emulation, invocation, session.world, { locked: flags.on('locked') });
    const keyed = await session.key({ ...composed.plan, tasks: [...composed.plan.tasks, ...tree.tasks], targets: [...built.targets, tree.tree] });
    const folder = await buildImage(invocation, session, keyed, built);
    await session.run({ ...keyed, targets: [tree.tree] }, null);
    const publicKey = await readKey(flags.text('ssh-key'));
    const hostname = flags.text('hostname');
    const kept = flags.text('keep');
    const work = kept === undefined ? await mkdtemp(join(layout.work(), 'run-')) : resolve(invocation.cwd, kept);
    // Builds remove scratch folders without a living owner.
    if (kept === undefined) await writeFile(join(work, 'owner'), await ownIdentity());
    try {
      return await runInteractively({
        machine: machine.machine,
        image: join(folder, diskImage(built).fileName),
        toolsTree: layout.tree(keyed.keys.get(tree.tree)?.key ?? ''),
        work,
        hostEnvironment,
        ...(publicKey === null ? {} : { sshKey: { publicKey } }),
        ...(hostname === undefined ? {} : { hostname }),
        forward: forward.length > 0 ? forward : [{ host: 0, guest: 22222 }],
        accelerator: flags.on('kvm') ? 'kvm' : 'tcg',
        signal,
        emit,
        say: (line) => err(`${line}\n`),
        streams: { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr },
      });
    } finally {
      if (kept === undefined) await rm(work, { recursive: true, force: true });
    }
  },
};

function parseForward(text: string): { host: number; guest: number } {
  const match = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  const [host, guest] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || host > 65535 || guest < 1 || guest > 65535) {
    throw new OsbuildError('OSB_USAGE', `"${text}" is not a pair of ports`, { hint: 'such as 8080:80; host port 0 takes a free one' });
  }
  return { host, guest };
}

async function readKey(file: string | undefined): Promise<string | null> {
  const path = file ?? join(homedir(), '.ssh', 'id_ed25519.pub');
  if (file === undefined && !(await access(path).then(() => true, () => false))) return null;
  return (await readFile(path, 'utf8').catch((error: Error) => {
    throw new OsbuildError('OSB_USAGE', `cannot read the key ${path}`, { hint: error.message });
  })).trim();
}
