import type { KeyIngredients } from './key.ts';

/** Why a task's key differs from its last one, in lines for people. Empty when nothing differs. */
export function whyDifferent(before: KeyIngredients, now: KeyIngredients): string[] {
  const reasons: string[] = [];
  if (before.version !== now.version) reasons.push(`osbuild's own code for the step ${now.kind} changed (${before.version} → ${now.version})`);
  if (before.epoch !== now.epoch) reasons.push(`epoch ${before.epoch} → ${now.epoch}`);
  if (before.args !== now.args) reasons.push(...argumentChanges(JSON.parse(before.args), JSON.parse(now.args), 'argument '));
  for (const name of new Set([...Object.keys(before.inputs), ...Object.keys(now.inputs)])) {
    reasons.push(...inputChanges(name, before.inputs[name], now.inputs[name]));
  }
  return reasons;
}

type InputDigest = string | Record<string, string> | undefined;

function inputChanges(name: string, before: InputDigest, now: InputDigest): string[] {
  if (before === undefined) return [`input ${name} is new`];
  if (now === undefined) return [`input ${name} is gone`];
  if (typeof before === 'string' || typeof now === 'string') return before === now ? [] : [`input ${name} was made anew`];
  const reasons: string[] = [];
  for (const path of new Set([...Object.keys(before), ...Object.keys(now)])) {
    if (before[path] === now[path]) continue;
    const what = before[path] === undefined ? 'added' : now[path] === undefined ? 'removed' : 'changed';
    reasons.push(`${name}: ${path} ${what}`);
  }
  return reasons;
}

function argumentChanges(before: unknown, now: unknown, path: string): string[] {
  if (JSON.stringify(before) === JSON.stringify(now)) return [];
  if (Array.isArray(before) && Array.isArray(now)) return listChanges(before, now, path);
  if (!isRecord(before) || !isRecord(now)) return [`${path}: ${brief(before)} → ${brief(now)}`];
  const keys = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...keys].flatMap((key) => argumentChanges(before[key], now[key], path.endsWith(' ') ? `${path}${key}` : `${path}.${key}`));
}

function listChanges(before: unknown[], now: unknown[], path: string): string[] {
  const old = new Set(before.map(brief));
  const fresh = new Set(now.map(brief));
  const gone = [...old].filter((item) => !fresh.has(item)).map((item) => `${path}: − ${item}`);
  const added = [...fresh].filter((item) => !old.has(item)).map((item) => `${path}: + ${item}`);
  return gone.length + added.length === 0 ? [`${path}: order changed`] : [...gone, ...added];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A package by its name and version, anything else as JSON, cut to a line. */
function brief(value: unknown): string {
  if (isRecord(value) && typeof value['name'] === 'string' && typeof value['version'] === 'string') {
    return `${value['name']} ${value['version']}`;
  }
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
