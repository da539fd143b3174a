import type { Board } from '../board.ts';
import { ensure, type BootCheck } from './check.ts';

const folder = '/run/boot-test';
const farName = 'boot-test-far';
const [near, far] = ['hci0', 'hci1'] as const;

const adapter = (radio: string): string => `/org/bluez/${radio}`;

const property = async (board: Board, path: string, kind: 'Adapter1' | 'Device1', name: string): Promise<string> =>
  (await board.need(`busctl --system get-property org.bluez ${path} org.bluez.${kind} ${name}`)).trim().replace(/^\w+ /, '').replaceAll('"', '');

const setProperty = (radio: string, name: string, value: string): string => `busctl --system set-property org.bluez ${adapter(radio)} org.bluez.Adapter1 ${name} ${value}`;

const addressOf = (board: Board, radio: string): Promise<string> => property(board, adapter(radio), 'Adapter1', 'Address');

/** What one radio knows of the other one. */
const known = async (board: Board, radio: string, other: string): Promise<string> => `${adapter(radio)}/dev_${(await addressOf(board, other)).replaceAll(':', '_')}`;

/** What a person types into bluetoothctl, and how long that person waits after each line. */
const typed = (lines: readonly (readonly [text: string, seconds: number])[], options = ''): string =>
  `{ sleep 2; ${lines.map(([text, seconds]) => `echo ${text}; sleep ${seconds}`).join('; ')}; } | bluetoothctl ${options} 2>&1`;

/** Two controllers that are a program, and hear each other. They have the same addresses at each start. */
async function plugRadios(board: Board): Promise<void> {
  if (board.btvirt === null) throw new Error('there is no program that emulates controllers');
  await board.need(`set -e
mkdir -p ${folder}
cat >${folder}/btvirt
chmod 755 ${folder}/btvirt
modprobe hci_vhci
systemd-run --quiet --unit=boot-test-radios ${folder}/btvirt -l2`, { stdin: board.btvirt });
}

/** The service comes by itself, with the first radio. */
const turnedOn = (board: Board): Promise<string> =>
  board.eventually(60, async () => {
    const service = (await board.need('systemctl is-active bluetooth.service')).trim();
    for (const radio of [near, far]) ensure((await property(board, adapter(radio), 'Adapter1', 'Powered')) === 'true', `${radio} is off`);
    return service;
  });

/** Of images with recipe bluetooth, on the first boot. */
export const bluetoothChecks: readonly BootCheck[] = [
  {
    name: 'Bluetooth: BlueZ starts when a radio appears, and turns it on',
    run: async (board) => {
      await board.need('systemctl stop bluetooth.service');
      await plugRadios(board);
      return turnedOn(board);
    },
  },
  {
    name: 'Bluetooth: a radio that lets itself be found is found by the other, by its name',
    run: async (board) => {
      await board.need(`set -e
${setProperty(far, 'Alias', `s ${farName}`)}
${setProperty(far, 'Discoverable', 'b true')}`);
      const path = await known(board, near, far);
      const scan = typed([[`select ${await addressOf(board, near)}`, 1], ['scan bredr', 15], ['scan off', 2]]);
      return board.eventually(120, async () => {
        await board.need(`${scan} >/dev/null`, { timeoutMs: 60_000 * board.scale });
        const found = await property(board, path, 'Device1', 'Name');
        ensure(found === farName, `it is called ${found}`);
        return found;
      });
    },
  },
  {
    name: 'Bluetooth: the two are paired, and hear each other',
    run: async (board) => {
      await board.need(`set -e
${setProperty(near, 'Pairable', 'b true')}
${setProperty(far, 'Pairable', 'b true')}`);
      const said = await board.need(typed([[`select ${await addressOf(board, near)}`, 1], [`pair ${await addressOf(board, far)}`, 10]], '--agent NoInputNoOutput'), { timeoutMs: 60_000 * board.scale });
      ensure(said.includes('Pairing successful'), said.slice(-1000));
      const answered = await board.need(`l2ping -i ${near} -c 3 ${await addressOf(board, far)}`, { timeoutMs: 60_000 * board.scale });
      return answered.trim().split('\n').at(-1) ?? '';
    },
  },
];

/** Of the boot after that. */
export const bluetoothAgain: readonly BootCheck[] = [
  {
    name: 'Bluetooth: who was paired is known after a restart, at both ends',
    run: async (board) => {
      await plugRadios(board);
      await turnedOn(board);
      for (const [radio, other] of [[near, far], [far, near]] as const) {
        const path = await known(board, radio, other);
        ensure((await property(board, path, 'Device1', 'Bonded')) === 'true', `${radio} does not know ${other}`);
      }
    },
  },
];
