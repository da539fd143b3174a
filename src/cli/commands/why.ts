import { readLastRun, type LastRun } from '../../cache/index.ts';
import { nearest } from '../../config/index.ts';
import { whyDifferent, type TaskKey } from '../../graph/index.ts';
import { OsbuildError } from '../../model/index.ts';
import { composeImages } from '../build/compose.ts';
import { lockOptions } from './image.ts';
import { machineNames, machineOption } from '../build/selection.ts';
import { projectId, Session } from '../build/session.ts';
import type { Command } from '../command.ts';
import { openProject } from '../project.ts';

export const why: Command = {
  name: 'why',
  usage: '--machine <machine> [task]',
  summary: 'Say what made a task run again, or would: which input, argument or version changed',
  options: { ...machineOption, ...lockOptions },
  arguments: { min: 0, max: 1 },
  async run(invocation) {
    const { words, out, flags, layout } = invocation;
    const project = await openProject(invocation);
    const session = new Session(invocation, project);
    const { plan } = await composeImages(invocation, project, machineNames(invocation, project), session.world);
    const keyed = await session.key(plan);
    const missing = new Set(await session.missing(keyed));
    const [asked] = words;
    if (asked !== undefined && !keyed.graph.tasks.has(asked)) {
      const near = nearest(asked, keyed.graph.tasks.keys());
      throw new OsbuildError('OSB_USAGE', `this build has no task called "${asked}"`, { hint: near ? `did you mean "${near}"?` : '`osbuild graph` lists the tasks' });
    }
    const ids = asked === undefined ? [...missing] : [asked];
    for (const id of ids) {
      const now = keyed.keys.get(id);
      if (!now) throw new Error(`no key for ${id}`);
      const last = await readLastRun(layout, projectId(project), id);
      const reasons = reasonsFor(last, now, missing.has(id));
      if (flags.on('json')) out(`${JSON.stringify({ task: id, runs: missing.has(id), reasons })}\n`);
      else out(`${id}: ${missing.has(id) ? 'would run' : 'would not run'}\n${reasons.map((reason) => `  ${reason}\n`).join('')}`);
    }
    if (ids.length === 0 && !flags.on('json')) out('nothing would run: every task has its result\n');
    return 0;
  },
};

function reasonsFor(last: LastRun | null, now: TaskKey, missing: boolean): string[] {
  if (!last) return [missing ? 'this project has not been built with it yet' : 'this project has not been built with it yet, but another one has'];
  if (last.key !== now.key) return whyDifferent(last.ingredients, now.ingredients);
  if (missing) return ['its result was pruned, or damaged'];
  if (!last.before) return ['nothing changed since this project was first built with it'];
  return ['nothing changed; what changed it last:', ...whyDifferent(last.before, last.ingredients).map((reason) => `  ${reason}`)];
}
