import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

import { deriveMachine, findMachine, parseYaml } from '../../config/index.ts';
import { OsbuildError, type Machine } from '../../model/index.ts';
import { openAsker } from '../ask.ts';
import type { Command, Invocation } from '../command.ts';
import { openProject } from '../project.ts';

export const newMachine: Command = {
  name: 'new-machine',
  usage: '<name>',
  summary: 'Start a port to a board: a machine file made of the one of a board like it',
  details: '\nWhat is not given as an option is asked for on a terminal. docs/porting.md says where the answers are found.',
  options: {
    like: { type: 'string', value: 'machine', help: 'machine with the same kernel and way of booting, whose lists are taken over' },
    board: { type: 'string', value: 'text', help: 'name of the board as its maker writes it' },
    'device-tree': { type: 'string', multiple: true, value: 'path', help: 'path or glob below the kernel\'s device tree folder; may be repeated' },
    console: { type: 'string', value: 'name', help: 'serial console, such as ttyS0' },
    'u-boot': { type: 'string', value: 'file', help: 'the U-Boot program inside its package' },
    'u-boot-package': { type: 'string', value: 'package', help: 'package of U-Boot, where it is not the one of the machine like it' },
  },
  arguments: { min: 1, max: 1 },
  async run(invocation) {
    const { words, out } = invocation;
    const name = words[0] ?? '';
    if (!/^[a-z0-9][a-z0-9.+-]*$/.test(name)) throw new OsbuildError('OSB_USAGE', `"${name}" cannot be the name of a machine`, { hint: 'small letters, digits, and . + - between them' });
    const project = await openProject(invocation);
    const file = join(project.folder, 'machines', `${name}.yaml`);
    if (await access(file).then(() => true, () => false)) throw new OsbuildError('OSB_USAGE', `${file} is there already`, { hint: 'nothing was changed; choose another name' });
    const answers = questions(invocation);
    try {
      const like = findMachine(project, await answers.need('like', `Which machine is most like it? (${[...project.machines.keys()].toSorted().join(', ')})`));
      const { boot, kernel } = like.machine;
      const description = await answers.need('board', 'Name of the board, as its maker writes it');
      const given = invocation.flags.texts('device-tree');
      const deviceTrees = kernel.deviceTrees === undefined ? given : await answers.list('device-tree', 'Its device trees below the kernel\'s folder, separated by commas');
      const console = await answers.may('console', 'Its serial console, such as ttyS0 (empty: the same)');
      const uboot = boot.method === 'u-boot' ? await answers.may('u-boot', `Its U-Boot inside the package (empty: ${boot.file})`) : null;
      const ubootPackage = invocation.flags.text('u-boot-package') ?? null;
      if (ubootPackage !== null && uboot === null) throw new OsbuildError('OSB_USAGE', '--u-boot-package needs --u-boot', { hint: 'the program inside that package' });
      const own = { description, deviceTrees, console, uboot: uboot === null ? null : { package: ubootPackage, file: uboot } };
      const schema = project.folder === invocation.home ? '../src/config/schemas' : join(invocation.home, 'src/config/schemas');
      const text = deriveMachine(await readFile(like.file, 'utf8'), own).replace(/^# yaml-language-server: .*/, `# yaml-language-server: $schema=${schema}/machine.schema.json`);
      const machine = parseYaml('machine', text, file);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text, { flag: 'wx' });
      const shown = relative(invocation.cwd, file);
      out(`${shown.startsWith('..') ? file : shown}: made of ${like.name}. Look through it: everything not asked for is that machine's.\n`);
      if (areasOf(machine) !== undefined) out("boot.areas: hold offsets, sizes and file names against the chip's manual and this U-Boot's configuration.\n");
      else if (areasOf(like.machine) !== undefined) out(`boot.areas: those of ${like.name} were left out with its package. Say where this board's boot ROM looks, unless it reads files.\n`);
      out(`Next: osbuild image --machine ${name}\n`);
      return 0;
    } finally {
      answers.close();
    }
  },
};

const areasOf = ({ boot }: Machine): unknown => (boot.method === 'u-boot' ? boot.areas : undefined);

interface Questions {
  /** Of the option, else asked for; OSB_USAGE where nobody can be asked. */
  need(option: string, question: string): Promise<string>;
  list(option: string, question: string): Promise<string[]>;
  /** As need, but may be left out. */
  may(option: string, question: string): Promise<string | null>;
  close(): void;
}

function questions({ flags, interactive, signal }: Invocation): Questions {
  const terminal = interactive ? openAsker({ signal }) : null;
  const ask = async (question: string): Promise<string> => (await terminal?.ask(`${question}: `)) ?? '';
  const required = (option: string): OsbuildError => new OsbuildError('OSB_USAGE', `--${option} is needed`, { hint: '`osbuild new-machine --help`; on a terminal it is asked for' });
  const need = async (option: string, question: string): Promise<string> => {
    const answer = flags.text(option) ?? (await ask(question));
    if (answer === '') throw required(option);
    return answer;
  };
  return {
    need,
    list: async (option, question) => {
      const given = flags.texts(option);
      const answer = given.length > 0 ? given : (await ask(question)).split(/,(?![^{]*\})/).map((word) => word.trim()).filter(Boolean);
      if (answer.length === 0) throw required(option);
      return answer;
    },
    may: async (option, question) => (flags.text(option) ?? (await ask(question))) || null,
    close: () => terminal?.close(),
  };
}
