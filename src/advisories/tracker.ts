import { OsbuildError } from '../model/index.ts';

/** What the tracker says of an issue in one release of Debian. */
export interface TrackedRelease {
  status: 'open' | 'resolved' | 'undetermined';
  /** `0`: this release never had the issue. */
  fixedVersion: string | null;
  urgency: Urgency;
  /** Why there will be no advisory, and what is meant instead (`postponed`, `ignored`). */
  note: string | null;
  decision: string | null;
}

export interface TrackedIssue {
  description: string;
  /** `remote`, `local`. */
  scope: string | null;
  releases: Map<string, TrackedRelease>;
}

/** Issues by source package and name (`CVE-…`, and `TEMP-…` for those that have no number yet). */
export type Tracker = Map<string, Map<string, TrackedIssue>>;

/** The worst first. */
export const urgencies = ['high', 'medium', 'low', 'not yet assigned', 'end-of-life', 'unimportant'] as const;
export type Urgency = (typeof urgencies)[number];

type Keys = Record<string, unknown>;
const isKeys = (value: unknown): value is Keys => typeof value === 'object' && value !== null && !Array.isArray(value);
const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/** Reads the tracker's data (https://security-tracker.debian.org/tracker/data/json). @throws OSB_USAGE for anything else */
export function readTracker(text: string, name: string): Tracker {
  const invalid = (why: string, cause?: unknown): OsbuildError => new OsbuildError('OSB_USAGE', `${name} is not the data of Debian's security tracker: ${why}`, { hint: 'https://security-tracker.debian.org/tracker/data/json', cause });
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
  if (!isKeys(document)) throw invalid('it has no packages');
  const tracker: Tracker = new Map();
  for (const [source, issues] of Object.entries(document)) {
    if (!isKeys(issues)) throw invalid(`${source} has no issues`);
    const known = new Map<string, TrackedIssue>();
    for (const [id, issue] of Object.entries(issues)) {
      if (!isKeys(issue) || !isKeys(issue['releases'])) throw invalid(`${id} of ${source} has no releases`);
      const releases = Object.entries(issue['releases']).map(([release, value]): [string, TrackedRelease] => {
        if (!isKeys(value)) throw invalid(`${id} of ${source} says nothing of ${release}`);
        return [release, readRelease(value)];
      });
      known.set(id, { description: textOf(issue['description']) ?? '', scope: textOf(issue['scope']), releases: new Map(releases) });
    }
    tracker.set(source, known);
  }
  return tracker;
}

function readRelease({ status, fixed_version: fixed, urgency, nodsa, nodsa_reason: reason }: Keys): TrackedRelease {
  return {
    status: status === 'resolved' || status === 'open' ? status : 'undetermined',
    fixedVersion: textOf(fixed),
    // A star says that people have not looked at it.
    urgency: urgencies.find((known) => known === String(urgency).replace(/\*+$/, '')) ?? 'not yet assigned',
    note: textOf(nodsa),
    decision: textOf(reason),
  };
}
