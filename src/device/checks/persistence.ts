import type { Board, BoardFacts } from '../board.ts';
import { ensure, type BootCheck } from './check.ts';
import { dataSizes } from './disk.ts';

/** Files that are left on state, data and what is bound from them. */
export const marks = ['/etc/minke/boot-test-mark', '/mnt/data/boot-test-mark', '/root/boot-test-mark', '/etc/NetworkManager/system-connections/.boot-test-mark'];

/** What must be the same after every boot. */
export async function gatherFacts(board: Board): Promise<BoardFacts> {
  const script = 'cat /etc/machine-id /proc/sys/kernel/random/boot_id; date +%s; cksum /etc/dropbear/*_host_key | cksum';
  const [machineId = '', bootId = '', clock = '', hostKeys = ''] = (await board.need(script)).trim().split('\n');
  const dataBytes = Number((await board.need(dataSizes)).trim().split(' ')[1]);
  return { machineId, bootId, hostKeys, dataBytes, clockSeconds: Number(clock) };
}

/** Last thing of the first boot: leaves something to find. Not a check of its own. */
export async function leaveMarks(board: Board): Promise<void> {
  for (const path of marks) await board.need(`echo ${board.serviceAnswer} >${path} && sync ${path}`);
  board.facts = await gatherFacts(board);
}

function known(board: Board): BoardFacts {
  if (!board.facts) throw new Error('the first boot did not get far enough to compare with');
  return board.facts;
}

export const noFailedUnit = (stage: string): BootCheck => ({
  name: `${stage}: no unit failed`,
  run: (board) =>
    board.eventually(240, async () => {
      const text = await board.need('systemctl is-system-running || { systemctl list-units --state=failed --plain --no-legend; systemctl list-jobs --no-legend; exit 1; }');
      ensure(text.trim() === 'running', text);
    }),
});

export const persistenceChecks = (stage: string): BootCheck[] => [
  {
    name: `${stage}: the board really started again`,
    run: async (board) => {
      const before = known(board);
      const now = await gatherFacts(board);
      ensure(now.bootId !== before.bootId, `the boot id is still ${now.bootId}`);
    },
  },
  noFailedUnit(stage),
  {
    name: `${stage}: machine id and SSH host keys are the same`,
    run: async (board) => {
      const before = known(board);
      const now = await gatherFacts(board);
      ensure(now.machineId === before.machineId && /^[0-9a-f]{32}$/.test(now.machineId), `the machine id was ${before.machineId} and is ${now.machineId}`);
      ensure(now.hostKeys === before.hostKeys, 'the host keys are others');
    },
  },
  {
    name: `${stage}: state and data are kept`,
    run: async (board) => {
      for (const path of marks) {
        const text = await board.need(`cat ${path}`);
        ensure(text.trim() === board.serviceAnswer, `${path} holds ${JSON.stringify(text)}`);
      }
    },
  },
  {
    name: `${stage}: the data partition keeps its size and the root stays read-only`,
    run: async (board) => {
      const now = await gatherFacts(board);
      ensure(now.dataBytes === known(board).dataBytes, `the partition had ${known(board).dataBytes} bytes and has ${now.dataBytes}`);
      ensure(/^ro(,|$)/.test((await board.need('findmnt -n -o OPTIONS /')).trim()), 'the root is writable');
    },
  },
  {
    name: `${stage}: the clock did not go back`,
    run: async (board) => {
      const now = await gatherFacts(board);
      ensure(now.clockSeconds >= known(board).clockSeconds - 3600, `it was ${known(board).clockSeconds} and is ${now.clockSeconds}`);
    },
  },
];
