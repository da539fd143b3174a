// The scripts of `minke completion`, in the shells that they are for: keys go in, the line that the shell makes of them comes out.
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE } from '../support/lab.ts';

const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** [typed, what the line becomes]: unique completions, so that the shell writes them out. */
const CASES: readonly (readonly [string, string])[] = [
  ['minke vers', 'minke version '], ['minke volume cre', 'minke volume create '], ['minke run --restar', 'minke run --restart '],
  ['minke run --restart unless', 'minke run --restart unless-stopped '], ['minke run --restart=unless', 'minke run --restart=unless-stopped '],
  ['minke rm a-cont', 'minke rm a-container '], ['minke network rm a-net', 'minke network rm a-network '], ['minke volume rm a-vol', 'minke volume rm a-volume '],
  ['minke run --network a-n', 'minke run --network a-network '], ['minke rmi busyb', `minke rmi ${IMAGE} `], ['minke rmi busybox:l', `minke rmi ${IMAGE} `],
  ['minke cp a-cont', 'minke cp a-container:'], ['minke load -i only-f', 'minke load -i only-file '], ['minke completion fi', 'minke completion fish '],
];

describeLab('completion', (lab) => {
  let folder = '';
  let path = '';
  beforeAll(() => {
    folder = join(lab.folder, 'shell');
    mkdirSync(join(folder, 'bin'), { recursive: true });
    symlinkSync(process.env['OSBUILD_ENGINE_BINARY'] ?? '', join(folder, 'bin/minke'));
    path = `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`;
    writeFileSync(join(folder, 'only-file'), '');
    for (const shell of ['bash', 'zsh', 'fish']) writeFileSync(join(folder, `minke.${shell}`), lab.run([join(folder, 'bin/minke'), 'completion', shell]).stdout);
    lab.ok('create', '--name', 'a-container', IMAGE, 'true');
    lab.ok('network', 'create', 'a-network');
    lab.ok('volume', 'create', 'a-volume');
  });

  /** Types into an interactive shell on a terminal of its own. */
  const type = (shell: readonly string[], ...lines: string[]): string =>
    lab.run(['sh', '-c', `cd ${folder} && PATH=${path} script -qec "$0" /dev/null`, shell.join(' ')], lines.join('')).stdout;

  /** A key binding writes the line to a file, where no prompt and no redrawing is in the way. */
  const lineOf = (output: string): string[] => [...output.matchAll(/<<(.*?)>>/g)].map(([, line = '']) => line);

  describe.skipIf(!has('bash'))(has('bash') ? 'in bash' : 'in bash (not installed)', () => {
    it.each(CASES)('makes of %j: %j', (typed, becomes) => {
      const setUp = "PS1=; . ./minke.bash; show() { printf '<<%s>>\\n' \"$READLINE_LINE\"; READLINE_LINE=; }; bind -x '\"\\C-g\": show'\n";
      expect(lineOf(type(['bash', '--norc', '--noprofile', '-i'], setUp, `${typed}\t\x07`, '\nexit\n')).at(-1)).toBe(becomes);
    });
  });

  describe.skipIf(!has('zsh'))(has('zsh') ? 'in zsh' : 'in zsh (not installed)', () => {
    it.each(CASES)('makes of %j: %j', (typed, becomes) => {
      const setUp = "PS1=; autoload -U compinit; compinit -u -D; . ./minke.zsh; show() { zle -I; printf '<<%s>>\\n' \"$BUFFER\"; BUFFER= }; zle -N show; bindkey '^G' show\n";
      expect(lineOf(type(['zsh', '-f', '-i'], setUp, `${typed}\t\x07`, '\nexit\n')).at(-1)).toBe(becomes);
    });
  });

  describe.skipIf(!has('fish'))(has('fish') ? 'in fish' : 'in fish (not installed)', () => {
    it.each(CASES)('offers for %j the end of %j', (typed, becomes) => {
      const offered = lab.run(['sh', '-c', `cd ${folder} && HOME=${folder} PATH=${path} fish --no-config -c 'source ./minke.fish; complete -C "$argv[1]"' "$0"`, typed]).stdout;
      const words = offered.split('\n').map((line) => line.split('\t')[0]);
      expect(words).toContain(becomes.trim().split(' ').at(-1));
    });
  });
});
