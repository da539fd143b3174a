/** Settings of a Kconfig file (`.config`, a fragment): name → value as written; `n` for what is not set. The last value counts. */
export function readSettings(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of text.split('\n')) {
    const set = /^\s*(CONFIG_\w+)=(.*?)\s*$/.exec(line);
    const unset = /^\s*# (CONFIG_\w+) is not set\s*$/.exec(line);
    if (set !== null) settings.set(set[1] ?? '', set[2] ?? '');
    else if (unset !== null) settings.set(unset[1] ?? '', 'n');
  }
  return settings;
}

/** Lines of a fragment that are neither a setting, nor a comment, nor empty: mistyped ones, which Kconfig passes over. */
export function strayLines(text: string): { line: number; text: string }[] {
  return text
    .split('\n')
    .map((content, index) => ({ line: index + 1, text: content.trim() }))
    .filter(({ text: line }) => line !== '' && !isSetting(line) && (!line.startsWith('#') || /^#\s*CONFIG_\w+\s+(is|not)\b/i.test(line)));
}

function isSetting(line: string): boolean {
  return /^CONFIG_\w+=("(\\.|[^"\\])*"|[\w.+-]+)$/.test(line) || /^# CONFIG_\w+ is not set$/.test(line);
}

/** A setting of a fragment that the configuration did not take up. */
export interface Unmet {
  name: string;
  wanted: string;
  /** What came out; `n` where the name does not appear. */
  got: string;
  /** Fragment that asks for it last. */
  fragment: string;
}

/**
 * Holds fragments, in the order in which they apply, against the configuration that came out. A feature that was asked for
 * as a module and is built in is there all the same.
 */
export function unmetSettings(fragments: readonly { name: string; text: string }[], config: string): Unmet[] {
  const asked = new Map<string, { wanted: string; fragment: string }>();
  for (const { name: fragment, text } of fragments) for (const [name, wanted] of readSettings(text)) asked.set(name, { wanted, fragment });
  const final = readSettings(config);
  return [...asked].flatMap(([name, { wanted, fragment }]) => {
    const got = final.get(name) ?? 'n';
    return wanted === got || (wanted === 'm' && got === 'y') ? [] : [{ name, wanted, got, fragment }];
  });
}

/** Names that Kconfig files declare, from lines such as `config SMP`. */
export function declaredNames(lines: string): string[] {
  return [...new Set([...lines.matchAll(/^\s*(?:menu)?config\s+(\w+)\s*$/gm)].map((match) => `CONFIG_${match[1] ?? ''}`))];
}
