import { OsbuildError } from '../../../model/index.ts';

/** Names of variables as bitbake reads them, with overrides, operators and flags: `IMAGE_INSTALL:append`, `do_rootfs[depends]`. */
const variableName = /^[a-zA-Z0-9_+.${}/~:-]+(\[[a-zA-Z0-9_+.-]+\])?$/;

/** One line of a configuration file of bitbake. Throws OSB_CONFIG_INVALID for what no line can say. */
export function assignment(name: string, value: string, operator = '='): string {
  if (!variableName.test(name)) throw new OsbuildError('OSB_CONFIG_INVALID', `yocto settings: "${name}" is not the name of a variable`);
  if (/[\n\r]/.test(value)) throw new OsbuildError('OSB_CONFIG_INVALID', `yocto settings: the value of ${name} has more than one line`);
  // bitbake knows no escapes in quoted values: it takes everything between the first and the last quote.
  const quote = value.includes('"') ? "'" : '"';
  if (value.includes(quote)) throw new OsbuildError('OSB_CONFIG_INVALID', `yocto settings: the value of ${name} has both kinds of quotes, which bitbake cannot read`);
  if (value.endsWith('\\')) throw new OsbuildError('OSB_CONFIG_INVALID', `yocto settings: the value of ${name} ends in a backslash, which would go on in the next line`);
  return `${name} ${operator} ${quote}${value}${quote}\n`;
}

/** A list over several lines, one word each. */
export function listAssignment(name: string, words: readonly string[], operator = '='): string {
  if (words.length === 0) return assignment(name, '', operator);
  for (const word of words) assignment(name, word);
  return `${name} ${operator} " \\\n${words.map((word) => `  ${word} \\\n`).join('')}"\n`;
}
