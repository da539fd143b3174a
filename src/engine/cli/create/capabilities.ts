/** Capability names with their CAP_ prefix, each once, sorted; null without any. ALL stays ALL: what it means, the daemon knows. */
export function capabilityList(names: readonly string[]): string[] | null {
  const upper = names.map((name) => name.trim().toUpperCase());
  const full = new Set(upper.map((name) => (name === 'ALL' || name.startsWith('CAP_') ? name : `CAP_${name}`)));
  return full.size > 0 ? [...full].sort() : null;
}
