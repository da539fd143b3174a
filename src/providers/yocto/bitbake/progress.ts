/** Lines of layers/meta-minke/lib/minke/watch.py. */
export type WatchEvent =
  | { event: 'parse'; done: number; total: number }
  | { event: 'parsed'; recipes: number; cached: number; masked: number; skipped: number; errors: number }
  | ({ event: 'plan' } & Omit<BuildPlan, 'kernelFragments'>)
  | { event: 'kernel'; fragments: readonly string[] }
  | { event: 'tasks'; total: number; done: number; failed: number; shared_total: number; shared: number; not_shared: number }
  | { event: 'task-start'; pid: number; recipe: string; task: string; log: string | null }
  | { event: 'task-end'; pid: number; recipe: string; task: string; ok: boolean; log?: string | null }
  | { event: 'failed'; id: string; status: number | string }
  | { event: 'no-provider' | 'disk-full'; text: string }
  | { event: 'log'; level: string; text: string }
  | { event: 'server-gone' }
  | { event: 'end'; ok: boolean; text?: string };

/** What a build would be made of. */
export interface BuildPlan {
  /** Recipe → version and revision, such as `6.6.63+git-r0`; recipes for the build host end in -native. */
  recipes: Record<string, string>;
  tasks: number;
  /** `virtual/…` → recipe. */
  providers: Record<string, string>;
  /** Configuration fragments (.cfg) of the kernel's recipe, by their names; empty where no kernel is planned. */
  kernelFragments: readonly string[];
}

/** What is known of a build from its events so far. */
export interface BuildState {
  phase: 'starting' | 'parsing' | 'building';
  done: number;
  total: number | null;
  /** Tasks taken from shared state, of all that may be there. */
  shared: number;
  sharedTotal: number;
  /** `<recipe> <task>` by process. */
  running: ReadonlyMap<number, string>;
  failures: ReadonlyArray<{ recipe: string; task: string; log: string | null }>;
  warnings: number;
  errors: readonly string[];
  /** Recipe files that were read, and those that BBMASK or the recipes themselves took away; null before. */
  parsed: { recipes: number; masked: number; skipped: number } | null;
  /** Where only a plan was asked for. */
  plan: BuildPlan | null;
  /** How it ended; null while it goes on. */
  end: 'ok' | 'failed' | 'server-gone' | 'disk-full' | null;
}

export const initialState: BuildState = { phase: 'starting', done: 0, total: null, shared: 0, sharedTotal: 0, running: new Map(), failures: [], warnings: 0, errors: [], parsed: null, plan: null, end: null };

/** Pure: the state after one more event. */
export function advance(state: BuildState, event: WatchEvent): BuildState {
  switch (event.event) {
    case 'parse':
      return { ...state, phase: 'parsing', done: event.done, total: event.total };
    case 'parsed':
      return { ...state, phase: 'building', done: 0, total: null, parsed: { recipes: event.recipes, masked: event.masked, skipped: event.skipped } };
    case 'plan':
      return { ...state, plan: { recipes: event.recipes, tasks: event.tasks, providers: event.providers, kernelFragments: [] } };
    case 'kernel':
      return state.plan === null ? state : { ...state, plan: { ...state.plan, kernelFragments: event.fragments } };
    case 'tasks':
      return { ...state, phase: 'building', done: event.done, total: event.total, shared: event.shared, sharedTotal: event.shared_total };
    case 'task-start':
      return { ...state, running: new Map(state.running).set(event.pid, `${event.recipe} ${event.task}`) };
    case 'task-end': {
      const running = new Map(state.running);
      running.delete(event.pid);
      return { ...state, running, failures: event.ok ? state.failures : [...state.failures, { recipe: event.recipe, task: event.task, log: event.log ?? null }] };
    }
    case 'log':
      if (event.level === 'plain') return state;
      return event.level === 'warning' ? { ...state, warnings: state.warnings + 1 } : { ...state, errors: [...state.errors, event.text] };
    case 'no-provider':
      return { ...state, errors: [...state.errors, event.text] };
    case 'disk-full':
      return { ...state, end: 'disk-full' };
    case 'server-gone':
      return { ...state, end: 'server-gone', running: new Map() };
    case 'end':
      return { ...state, running: new Map(), end: state.end ?? (event.ok ? 'ok' : 'failed'), errors: event.text ? [...state.errors, event.text] : state.errors };
    case 'failed':
      return state;
  }
}

const shownTasks = 3;

/** A few words for the line of progress. */
export function progressText({ phase, shared, sharedTotal, running }: BuildState): string {
  if (phase !== 'building') return phase === 'parsing' ? 'reading recipes' : 'starting bitbake';
  const names = [...running.values()];
  const more = names.length > shownTasks ? ` and ${names.length - shownTasks} more` : '';
  const from = sharedTotal > 0 ? `${shared} of ${sharedTotal} from shared state` : '';
  return [from, names.slice(0, shownTasks).join(', ') + more].filter(Boolean).join('; ');
}

/** Reads one line; null for what is none of ours. */
export function readEvent(line: string): WatchEvent | null {
  if (!line.startsWith('{')) return null;
  try {
    const value = JSON.parse(line) as unknown;
    return typeof value === 'object' && value !== null && typeof (value as { event?: unknown }).event === 'string' ? (value as WatchEvent) : null;
  } catch {
    return null;
  }
}
