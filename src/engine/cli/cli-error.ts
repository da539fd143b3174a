/** A failure that ends the command: its message goes to standard error, its code is the exit status. */
export class CliError extends Error {
  override name = 'CliError';
  readonly exitCode: number;

  constructor(message: string, exitCode = 1, options: { cause?: unknown } = {}) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The command line itself is wrong: `usage` says which command's help to show. */
export class UsageError extends CliError {
  override name = 'UsageError';
}

/** A failure of run or create that comes before anything was tried: shown as it is, exit status 1. */
export class PlainError extends CliError {
  override name = 'PlainError';
}

/** The command has said all there is to say; only the exit status is left. */
export class SilentExit extends CliError {
  override name = 'SilentExit';

  constructor(exitCode: number) {
    super('', exitCode);
  }
}
