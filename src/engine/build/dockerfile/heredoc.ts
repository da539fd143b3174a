import { splitWords } from './words.ts';

/** A here-document of RUN, COPY or ADD. */
export interface Heredoc {
  name: string;
  /** Variables in it stand for their values: the name was not quoted. */
  expand: boolean;
  /** `<<-`: tabs at the beginnings of lines go. */
  chomp: boolean;
  content: string;
}

const START = /^(\d*)<<(-?)(["']?)([A-Za-z_][\w.-]*)\3$/;

/** The documents that a line announces, without their content, in order. */
export function heredocsOf(text: string, escape: string): Heredoc[] {
  return splitWords(text, escape).flatMap((word) => {
    const heredoc = parseHeredocWord(word);
    return heredoc === undefined ? [] : [heredoc];
  });
}

/** `<<NAME`, `<<-NAME`, `<<"NAME"`, `3<<NAME`. */
export function parseHeredocWord(word: string): Heredoc | undefined {
  const match = START.exec(word);
  if (match === null) return undefined;
  return { name: match[4] ?? '', expand: match[3] === '', chomp: match[2] === '-', content: '' };
}
