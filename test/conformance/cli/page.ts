import { normalise } from './compare.ts';
import type { Compared } from './run.ts';

/** docs/engine/conformance-cli.md */
export function formatPage(compared: readonly Compared[], dockerVersion: string, reasons: Readonly<Record<string, string>>): string {
  const of = (verdict: string): Compared[] => compared.filter((one) => one.verdict === verdict);
  const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;
  const line = ({ stderr, stdout }: Compared['docker']): string => normalise((stderr.trim() || stdout.trim()).replaceAll(/\/var\/tmp\/minke-lab-\w{6}/g, '(folder)'), '(folder)').split('\n').at(-1)?.slice(0, 200).replaceAll('|', '\\|').replaceAll('<', '&lt;') ?? '';
  return [
    '# Conformance of the command line', '',
    '<!-- Written by test/conformance/cli.mjs; reasons are kept in test/conformance/cli/reasons.json. -->', '',
    `The same docker client runs the same commands against Docker ${dockerVersion} (Debian’s docker.io) and against minke, each in namespaces of its own. Compared are exit status, standard output and standard error, without ids, times, sizes and addresses.`, '',
    `Of **${compared.length} commands** ${of('identical').length} give the same in all; ${of('words').length} the same status and output, with other words on standard error; ${of('different').length} differ.`, '',
    ...(of('different').length === 0 ? [] : ['## What differs', '', '| command | Docker | minke | why |', '|---|---|---|---|', ...of('different').map((one) => `| ${code(one.command)} | ${one.docker.code}: ${line(one.docker)} | ${one.minke.code}: ${line(one.minke)} | ${reasons[one.command] ?? 'not looked into yet'} |`), '']),
    ...(of('words').length === 0 ? [] : ['## Other words', '', '| command | Docker | minke |', '|---|---|---|', ...of('words').map((one) => `| ${code(one.command)} | ${line(one.docker)} | ${line(one.minke)} |`), '']),
    '## Again', '', '```sh', './osbuild engine --arch amd64', 'apt-get install docker.io docker-cli', 'node test/conformance/cli.mjs', '```', '',
  ].join('\n');
}
