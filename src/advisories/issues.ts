import type { TrackedIssue, Tracker, Urgency } from './tracker.ts';
import { urgencies } from './tracker.ts';
import { compareDebianVersions } from './version.ts';

/** A binary package of an image. */
export interface ImagePackage {
  name: string;
  version: string;
  source: string;
  sourceVersion: string;
}

/** An issue that an image has, as far as is known. */
export interface OpenIssue {
  id: string;
  urgency: Urgency;
  source: string;
  /** Of the source package. */
  version: string;
  /** Binary packages of the image that come from it. */
  packages: string[];
  /** `fixed`: Debian has a version without it; `open`: it has none; `undetermined`: nobody has looked whether this release has it. */
  state: 'fixed' | 'open' | 'undetermined';
  fixedVersion: string | null;
  scope: string | null;
  description: string;
  note: string | null;
  decision: string | null;
}

/** Issues of an image's packages in a release of Debian, the worst first. */
export function openIssues(packages: readonly ImagePackage[], tracker: Tracker, release: string): OpenIssue[] {
  const sources = new Map<string, { source: string; version: string; packages: string[] }>();
  for (const one of packages) {
    const { source, version } = trackedSource(one);
    const key = `${source} ${version}`;
    const known = sources.get(key) ?? { source, version, packages: [] };
    known.packages.push(one.name);
    sources.set(key, known);
  }
  return [...sources.values()]
    .flatMap((one) => [...(tracker.get(one.source) ?? [])].flatMap(([id, issue]) => openIssue(one, id, issue, release) ?? []))
    .toSorted((a, b) => rank(a) - rank(b) || compareIds(b.id, a.id) || (a.source < b.source ? -1 : 1));
}

/** Signed programs come from source packages of their own; the tracker knows the ones that they were built from. */
function trackedSource({ version, source, sourceVersion }: ImagePackage): { source: string; version: string } {
  if (/^linux-signed-[a-z0-9]+$/.test(source)) return { source: 'linux', version };
  return { source: source.replace(/-(?:amd64|arm64|i386|armhf)-signed$/, ''), version: sourceVersion };
}

function openIssue({ source, version, packages }: { source: string; version: string; packages: string[] }, id: string, issue: TrackedIssue, release: string): OpenIssue | null {
  // What was taken over from a later release has that one's issues. Its version sorts before the one that it was made of.
  const backport = /~bpo\d+\+\d+/;
  const tracked = issue.releases.get(backport.test(version) ? 'sid' : release);
  if (tracked === undefined) return null;
  const { status, fixedVersion, urgency, note, decision } = tracked;
  const given = { id, urgency, source, version, packages: packages.toSorted(), scope: issue.scope, description: issue.description, note, decision };
  if (status !== 'resolved') return { ...given, state: status, fixedVersion: null };
  if (fixedVersion === null || fixedVersion === '0' || compareDebianVersions(version.replace(backport, ''), fixedVersion) >= 0) return null;
  return { ...given, state: 'fixed', fixedVersion };
}

/** What can be done something about comes first among equals. */
const rank = ({ urgency, state }: OpenIssue): number => urgencies.indexOf(urgency) * 3 + ['fixed', 'open', 'undetermined'].indexOf(state);

/** By year and number, the newest last. */
function compareIds(a: string, b: string): number {
  const numbers = (id: string): number[] => (id.match(/\d+/g) ?? []).map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  return (left[0] ?? 0) - (right[0] ?? 0) || (left[1] ?? 0) - (right[1] ?? 0);
}
