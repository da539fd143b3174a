import { argv, exit, onUncaught, log } from 'host:process';
import { runCli } from './cli/index.ts';
import { runDaemon } from './daemon/index.ts';

/** `minke daemon …` is the engine; everything else, whatever the name it is called by, is the command line. */
async function main(): Promise<number> {
  const words = argv.slice(1);
  const name = (argv[0] ?? '').split('/').at(-1);
  if (name === 'dockerd' || name === 'minke-daemon') return runDaemon(words);
  return words[0] === 'daemon' ? runDaemon(words.slice(1)) : runCli(words);
}

onUncaught((error) => {
  log(error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error));
  exit(70);
});
exit(await main());
