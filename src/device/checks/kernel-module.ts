import { shellLine } from '../../exec/index.ts';
import { moduleName } from '../kernel-module.ts';
import { ensure, type BootCheck } from './check.ts';

/** Where the module is in the test's container. */
export const moduleFile = `${moduleName}.ko`;

const answer = 4711;

/** What the container does: everything that is seen is seen from inside it. */
const script = [
  'set -eu',
  `busybox insmod /${moduleFile} answer=${answer}`,
  `busybox grep '^${moduleName} ' /proc/modules`,
  `cat /sys/module/${moduleName}/parameters/answer`,
  `busybox rmmod ${moduleName}`,
  `test ! -e /sys/module/${moduleName}`,
  'echo removed',
].join('\n');

export const kernelModuleChecks: readonly BootCheck[] = [
  {
    name: "kernel modules: a privileged container loads one that was compiled against the image's headers, and removes it",
    run: async (board) => {
      const run = (...words: string[]) => board.sh(shellLine(['minke', 'run', '--rm', ...words, board.container.reference, 'sh', '-c', script]), { timeoutMs: 120_000 * board.scale });
      const refused = await run();
      ensure(refused.status !== 0 && /not permitted/i.test(refused.stderr), `without --privileged it ended with ${refused.status}: ${refused.stderr}`);
      const { status, stdout, stderr } = await run('--privileged');
      const [listed = '', parameter, removed] = stdout.trim().split('\n');
      ensure(status === 0 && parameter === String(answer) && removed === 'removed', `it ended with ${status}: ${stdout}${stderr}`);
      const log = await board.need('dmesg');
      ensure(log.includes(`${moduleName}: the answer is ${answer}`) && log.includes(`${moduleName}: gone`), "the kernel's log has none of its lines");
      return listed;
    },
  },
];
