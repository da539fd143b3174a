import { argv, exit, onUncaught, log } from 'host:process';

/** `minke daemon …` is the engine; everything else, whatever the name it is called by, is the command line. */
async function main(): Promise<number> {
  const words = argv.slice(1);
  const name = (argv[0] ?? '').split('/').at(-1);
  const own = name === 'dockerd' || name === 'minke-daemon';
  if (own || words[0] === 'daemon') return (await import('./daemon/index.ts')).runDaemon(own ? words : words.slice(1));
  return (await import('./cli/index.ts')).runCli(words);
}

onUncaught((error) => {
  log(error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error));
  exit(70);
});
exit(await main());
