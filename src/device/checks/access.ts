import { setTimeout as sleep } from 'node:timers/promises';

import { connectSsh, isRefused, makeSshKey, type SshLogin } from '../ssh.ts';
import type { Board } from '../board.ts';
import { ensure, type BootCheck } from './check.ts';

async function expectRefusal(board: Board, login: SshLogin, who: string): Promise<void> {
  // A door that nobody opens is no proof: only a refusal after talking to the server counts.
  await board.eventually(20, async () => {
    let refusal: unknown;
    try {
      const session = await connectSsh(board.ssh, login, 90_000 * board.scale);
      session.close();
    } catch (error) {
      refusal = error;
    }
    ensure(refusal !== undefined, `${who} was let in`);
    ensure(isRefused(refusal), `the server did not refuse ${who} but failed: ${String(refusal)}`);
  });
}

/** Who gets in, and who does not. */
export const accessChecks: readonly BootCheck[] = [
  {
    name: 'access: the configured key opens SSH on port 22222',
    run: async (board) => {
      const session = await connectSsh(board.ssh, { privateKey: board.key.privateKey }, 90_000 * board.scale);
      const { stdout } = await session.exec('id -u; hostname');
      session.close();
      ensure(stdout === `0\n${board.hostname}\n`, `logged in as ${JSON.stringify(stdout)}`);
    },
  },
  { name: 'access: another key is refused', run: (board) => expectRefusal(board, { privateKey: makeSshKey('stranger').privateKey }, 'a stranger’s key') },
  { name: 'access: an empty password is refused', run: (board) => expectRefusal(board, { password: '' }, 'an empty password') },
  { name: 'access: a guessed password is refused', run: (board) => expectRefusal(board, { password: 'root' }, 'the password root') },
  {
    name: 'access: the serial console is open in development and shut in production',
    run: async (board) => {
      const { console } = board.emulator();
      if (board.mode === 'development') {
        await console.openShell(90_000 * board.scale);
        const { status, output } = await console.run('id -u; hostname; seq 200 | tail -1; exit 7', 90_000 * board.scale);
        ensure(status === 7 && output === `0\n${board.hostname}\n200\n`, `the shell answered ${status}, ${JSON.stringify(output)}`);
        return;
      }
      const from = console.position();
      console.send('\rroot\r');
      await sleep(8000);
      const answer = console.text().slice(from);
      ensure(!/login:|password:|[#$] $/i.test(answer), `the console answered ${JSON.stringify(answer)}`);
      const processes = await board.need('ps -e -o comm=');
      ensure(!/getty|sulogin/.test(processes), 'a login program runs');
    },
  },
];
