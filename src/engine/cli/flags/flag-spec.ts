export type FlagKind =
  | 'bool' | 'string' | 'list' | 'strings' | 'map' | 'int' | 'uint16' | 'decimal' | 'bytes' | 'duration'
  | 'filter' | 'mount' | 'network' | 'ulimit';

/** What the words for a flag or an argument are completed from. */
export type CompletionSource = 'container' | 'running' | 'image' | 'network' | 'volume' | 'file' | 'copy-place' | 'signal' | 'type' | readonly string[];

/** One row of the flag table: it parses, completes and documents the flag. */
export interface FlagSpec {
  readonly name: string;
  readonly short?: string;
  readonly kind: FlagKind;
  readonly help: string;
  /** What holds when the flag is not given, in the words of the command line. */
  readonly default?: string;
  readonly complete?: CompletionSource;
  /** Other spellings, not shown. */
  readonly also?: readonly string[];
  /** Accepted, not shown in help. */
  readonly hidden?: boolean;
  /** Says what is wrong with a value, or null. */
  readonly check?: (value: string) => string | null;
}

const typeNames: Readonly<Record<FlagKind, string>> = {
  bool: '', string: 'string', list: 'list', strings: 'strings', map: 'map', int: 'int', uint16: 'uint16', decimal: 'decimal', bytes: 'bytes',
  duration: 'duration', filter: 'filter', mount: 'mount', network: 'network', ulimit: 'ulimit',
};

export function flagTypeName(kind: FlagKind): string {
  return typeNames[kind];
}

const repeatable: ReadonlySet<FlagKind> = new Set(['list', 'strings', 'map', 'filter', 'mount', 'network', 'ulimit']);

export function isRepeatable(kind: FlagKind): boolean {
  return repeatable.has(kind);
}

/** "-m, --memory" or "--cpus", as messages name the flag. */
export function flagLabel(flag: FlagSpec): string {
  return flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
}
