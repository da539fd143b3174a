/** Codes of all failures that a user can cause or meet; the exit code of each stands in src/cli/exit-codes.ts. */
export type ErrorCode =
  | 'OSB_USAGE'
  | 'OSB_CONFIG_INVALID'
  | 'OSB_CONFIG_MISSING'
  | 'OSB_UNKNOWN_MACHINE'
  | 'OSB_UNKNOWN_RECIPE'
  | 'OSB_RECIPE_CYCLE'
  | 'OSB_PACKAGE_MISSING'
  | 'OSB_LOCK_STALE'
  | 'OSB_MIRROR_UNKNOWN'
  | 'OSB_DOWNLOAD_FAILED'
  | 'OSB_REMOTE_CACHE'
  | 'OSB_REMOTE_HOST'
  | 'OSB_REGISTRY'
  | 'OSB_HASH_MISMATCH'
  | 'OSB_SIGNATURE_INVALID'
  | 'OSB_SCRIPT_UNCOVERED'
  | 'OSB_KERNEL_INCOMPLETE'
  | 'OSB_IMAGE_TOO_LARGE'
  | 'OSB_BOOT_TEST_FAILED'
  | 'OSB_LAYER_INVALID'
  | 'OSB_BITBAKE_FAILED'
  | 'OSB_DISK_FULL'
  | 'OSB_DISK_REFUSED'
  | 'OSB_FLASH_FAILED'
  | 'OSB_HOST_UNFIT'
  | 'OSB_CACHE_CORRUPT'
  | 'OSB_TASK_FAILED'
  | 'OSB_COMMAND_FAILED'
  | 'OSB_CANCELLED';

export interface ErrorOptions {
  /** What the reader can do about it, one sentence. */
  hint?: string | undefined;
  /** Machine-readable facts, shown with --json. */
  details?: Record<string, unknown> | undefined;
  cause?: unknown;
}

/** A failure with a cause outside this program. Bugs are plain `Error`s. */
export class OsbuildError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'OsbuildError';
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}
