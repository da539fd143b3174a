import type { Board } from '../board.ts';
import { look, readPng, type Look, type Pixels } from '../pixels.ts';
import type { Screen } from '../screen.ts';
import { ensure, type BootCheck } from './check.ts';

const files = '/run/minke/splash';

function screenOf(board: Board): Screen {
  if (board.screen === null) throw new Error('this emulation has no screen');
  return board.screen;
}

const pictureOf = async (board: Board): Promise<Pixels> => readPng(Buffer.from(await board.need(`base64 ${files}/splash.png`), 'base64'));

/** Waits until the screen looks so. */
async function becomes(board: Board, wanted: Look): Promise<void> {
  const picture = await pictureOf(board);
  await board.eventually(20, async () => {
    const found = look(await screenOf(board).now(), picture);
    ensure(found === wanted, `the screen shows ${describe(found)}, not ${describe(wanted)}`);
  });
}

const typed = '/run/typed';
const keyNames: Record<string, string> = { ' ': 'spc', '/': 'slash', '\n': 'ret' };

/** By the keyboard, in the shell of the terminal in front. */
async function useShell(board: Board): Promise<void> {
  await becomes(board, 'other');
  await board.eventually(60, async () => {
    for (const key of `mkdir ${typed}\n`) await screenOf(board).press(keyNames[key] ?? key);
    await board.need(`sleep 2; rmdir ${typed}`);
  });
}

const describe = (found: Look): string => ({ picture: 'the picture', drawing: 'a part of the picture', plain: 'one colour', other: 'something else than the picture' })[found];

/** Of the first boot of an image with recipe splash. */
export const splashChecks: readonly BootCheck[] = [
  {
    name: 'screen: the picture is there before anybody can log in, and no text comes over it',
    run: async (board) => {
      const picture = await pictureOf(board);
      const seen = screenOf(board).seen().map(({ seconds, pixels }) => ({ seconds, found: look(pixels(), picture) }));
      const first = seen.find(({ found }) => found === 'picture');
      const loginSeconds = board.sshSeconds;
      ensure(first !== undefined, 'the picture was never seen');
      ensure(first.seconds < loginSeconds, `the picture came after ${first.seconds.toFixed(0)} s, the login after ${loginSeconds} s`);
      const over = seen.find(({ seconds, found }) => seconds > first.seconds && found === 'other');
      ensure(over === undefined, `something else was on the screen after ${over?.seconds.toFixed(0)} s`);
      ensure(seen.at(-1)?.found === 'picture', `the screen shows ${describe(seen.at(-1)?.found ?? 'other')} now`);
      return `after ${first.seconds.toFixed(0)} s of ${loginSeconds} s`;
    },
  },
  {
    name: 'screen: the second terminal has a shell in images for development, and the first one the picture again',
    run: async (board) => {
      await screenOf(board).press('alt', 'f2');
      if (board.mode === 'production') await becomes(board, 'plain');
      else await useShell(board);
      await screenOf(board).press('alt', 'f1');
      await becomes(board, 'picture');
    },
  },
  {
    name: 'screen: text comes back where the service is stopped, as it is for an emergency',
    run: async (board) => {
      await board.need('echo text-for-the-screen >/dev/tty1; systemctl stop minke-splash.service');
      await becomes(board, 'other');
      await board.need('systemctl start minke-splash.service');
      await becomes(board, 'picture');
    },
  },
];

/** Last of the first boot. */
export const splashDrawing: BootCheck = {
  name: 'screen: what an application draws stays there',
  run: async (board) => {
    // As a program does that knows nothing of terminals.
    await board.need('head -c 1000000 /dev/urandom >/dev/fb0');
    await becomes(board, 'other');
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    await becomes(board, 'other');
  },
};

/** Of the next boot: what was seen at the end of the one before, in which an application had drawn. */
export const splashAtShutdown: BootCheck = {
  name: 'screen: the picture was there again when the board shut down',
  run: async (board) => {
    const picture = await pictureOf(board);
    const last = screenOf(board).seenBefore().slice(-20).map(({ pixels }) => look(pixels(), picture));
    ensure(last.includes('picture') && last.lastIndexOf('picture') > last.lastIndexOf('other'), `what was seen last: ${last.join(', ')}`);
  },
};
