/** Quotes one word for a POSIX shell, leaving plain words as they are. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command as one line to paste into a shell. */
export function shellLine(argv: readonly string[]): string {
  return argv.map(shellWord).join(' ');
}
