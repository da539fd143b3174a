import type { DebianLock, LockedPackage } from '../../../model/index.ts';
import { withoutGenerated } from './script-classes.ts';

/** How a package differs between two locks. */
export interface PackageChange {
  name: string;
  architecture: string;
  /** null: not in the lock. */
  before: string | null;
  after: string | null;
}

/** How a maintainer script differs between two versions of a package: the lines that left and came. */
export interface ScriptChange {
  package: string;
  architecture: string;
  script: string;
  before: string;
  after: string;
  removed: string[];
  added: string[];
}

/** Maintainer scripts of a package by name, read from its control archive. */
export type ReadScripts = (locked: LockedPackage) => Promise<Record<string, string>>;

/** Packages that differ between two locks, by name. Pure. */
export function changedPackages(before: DebianLock, after: DebianLock): PackageChange[] {
  const [old, now] = [byKey(before), byKey(after)];
  return [...new Set([...old.keys(), ...now.keys()])].toSorted().flatMap((key) => {
    const [a, b] = [old.get(key), now.get(key)];
    const known = a ?? b;
    if (known === undefined || a?.sha256 === b?.sha256) return [];
    return [{ name: known.name, architecture: known.architecture, before: a?.version ?? null, after: b?.version ?? null }];
  });
}

/**
 * Maintainer scripts that changed between two locks: since they are never run, somebody must look whether the finish step
 * still does what they do. A package that came new counts with all its scripts. Comments and
 * generated sections do not count.
 */
export async function changedScripts(before: DebianLock, after: DebianLock, read: ReadScripts): Promise<ScriptChange[]> {
  const [old, now] = [byKey(before), byKey(after)];
  const changes: ScriptChange[] = [];
  for (const change of changedPackages(before, after)) {
    const key = `${change.name}:${change.architecture}`;
    const [a, b] = [old.get(key), now.get(key)];
    if (b === undefined) continue;
    const [left, right] = [a === undefined ? {} : await read(a), await read(b)];
    for (const script of [...new Set([...Object.keys(left), ...Object.keys(right)])].toSorted()) {
      const [was, is] = [meaningfulLines(left[script] ?? ''), meaningfulLines(right[script] ?? '')];
      const removed = without(was, is);
      const added = without(is, was);
      if (removed.length + added.length === 0) continue;
      changes.push({ package: change.name, architecture: change.architecture, script, before: change.before ?? '', after: change.after ?? '', removed, added });
    }
  }
  return changes;
}

function byKey(lock: DebianLock): Map<string, LockedPackage> {
  return new Map(lock.packages.map((locked) => [`${locked.name}:${locked.architecture}`, locked]));
}

/** Without comments and without the sections that packaging tools generate: those are covered by their kind. */
function meaningfulLines(script: string): string[] {
  return withoutGenerated(script).split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
}

/** Lines of `a` that `b` does not have as often. */
function without(a: string[], b: string[]): string[] {
  const left = new Map<string, number>();
  for (const line of b) left.set(line, (left.get(line) ?? 0) + 1);
  return a.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}
