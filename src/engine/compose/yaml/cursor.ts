import { YamlError } from './node.ts';

/** Reading position in a document whose lines end with \n alone. */
export class Cursor {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text.replace(/^\uFEFF/, '').replaceAll(/\r\n?/g, '\n');
    const odd = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.exec(this.text);
    if (odd !== null) this.fail('a control character', odd.index);
  }

  fail(message: string, at = this.at): never {
    throw new YamlError(this.lineOf(at), message);
  }

  lineOf(at = this.at): number {
    let line = 1;
    for (let next = this.text.indexOf('\n'); next !== -1 && next < at; next = this.text.indexOf('\n', next + 1)) line += 1;
    return line;
  }

  get char(): string {
    return this.text.charAt(this.at);
  }

  get ended(): boolean {
    return this.at >= this.text.length;
  }

  get column(): number {
    return this.at - (this.text.lastIndexOf('\n', this.at - 1) + 1);
  }

  /** Whether nothing but blanks stands before this on its line. */
  get fresh(): boolean {
    return /^[ \t]*$/.test(this.text.slice(this.at - this.column, this.at));
  }

  /** Whether a character followed by a blank or a line's end stands here: '-', '?', ':'. */
  isMark(mark: string, at = this.at): boolean {
    return this.text.charAt(at) === mark && /^[ \t\n]?$/.test(this.text.charAt(at + 1));
  }

  /** '---' or '...' at a line's beginning. */
  atDocumentMark(at = this.at): boolean {
    return (at === 0 || this.text.charAt(at - 1) === '\n') && /^(?:---|\.\.\.)(?:[ \t\n]|$)/.test(this.text.slice(at, at + 4));
  }

  skipBlanks(): void {
    while (this.char === ' ' || this.char === '\t') this.at += 1;
  }

  /** Goes past blanks, comments and line ends; whether another line has begun. */
  skipSpace(): boolean {
    let crossed = this.fresh;
    for (;;) {
      const from = this.at;
      this.skipBlanks();
      if (this.char === '#' && (this.at === 0 || /[ \t\n]/.test(this.text.charAt(this.at - 1)))) {
        const end = this.text.indexOf('\n', this.at);
        this.at = end === -1 ? this.text.length : end;
      }
      if (this.char === '\n') {
        this.at += 1;
        crossed = true;
        continue;
      }
      if (crossed && !this.ended && this.text.slice(from, this.at).includes('\t')) this.fail('a tab in the indentation: use blanks');
      return crossed;
    }
  }
}
