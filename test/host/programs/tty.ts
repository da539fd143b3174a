// Run on a terminal by the test, which types and watches.
import { text } from 'host:bytes';
import { fromFd } from 'host:net';
import { exit, onSignal } from 'host:process';
import { isTty, setMode, windowSize } from 'host:tty';

export async function ttyProgram([mode = 'raw']: string[]): Promise<void> {
  const [input, output] = [fromFd(0), fromFd(1)];
  const size = windowSize(1);
  await output.write(`tty ${isTty(0)} ${size?.columns}x${size?.rows}\r\n`);
  onSignal('WINCH', () => {
    const now = windowSize(1);
    void output.write(`resized ${now?.columns}x${now?.rows}\r\n`);
  });
  if (mode === 'raw' || mode === 'no-echo') setMode(0, mode);
  await output.write('ready\r\n');
  let line = '';
  for (let chunk; (chunk = await input.read()) !== null; ) {
    line += text(chunk);
    if (mode === 'raw') await output.write(`[${[...chunk].join(' ')}]`);
    if (mode === 'throw') {
      setMode(0, 'raw');
      throw new Error('with the terminal in raw mode');
    }
    if (line.includes('q')) break;
  }
  if (mode === 'no-echo') await output.write(`secret was ${line.trim()}\r\n`);
  exit(0);
}
