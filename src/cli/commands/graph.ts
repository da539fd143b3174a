import { composeImages } from '../build/compose.ts';
import { lockOptions } from './image.ts';
import { Session } from '../build/session.ts';
import { machineNames, machineOption } from '../build/selection.ts';
import type { Command } from '../command.ts';
import { openProject } from '../project.ts';

export const graph: Command = {
  name: 'graph',
  usage: '--machine <machine>',
  summary: 'Show the tasks of a build, what each reads from, and which have a result already',
  details: '\nWith --dot the graph is printed for Graphviz: osbuild graph -m qemuarm64 --dot | dot -Tsvg > graph.svg',
  options: { ...machineOption, ...lockOptions, dot: { type: 'boolean', help: 'as a Graphviz file' } },
  arguments: { min: 0, max: 0 },
  async run(invocation) {
    const { flags, out } = invocation;
    const project = await openProject(invocation);
    const session = new Session(invocation, project);
    const { plan } = await composeImages(invocation, project, machineNames(invocation, project), session.world);
    const keyed = await session.key(plan);
    const missing = new Set(await session.missing(keyed));
    const rows = [...keyed.graph.tasks].map(([id, task]) => ({
      id,
      title: task.title,
      key: keyed.keys.get(id)?.key ?? '',
      needs: keyed.graph.needs.get(id) ?? [],
      done: !missing.has(id),
    }));
    if (flags.on('json')) for (const row of rows) out(`${JSON.stringify(row)}\n`);
    else if (flags.on('dot')) {
      out('digraph build {\n  rankdir=LR; node [shape=box, fontname="sans-serif"];\n');
      for (const { id, title, done } of rows) out(`  ${JSON.stringify(id)} [label=${JSON.stringify(title)}${done ? ', style=filled, fillcolor="#e0f0e0"' : ''}];\n`);
      for (const { id, needs } of rows) for (const need of needs) out(`  ${JSON.stringify(need)} -> ${JSON.stringify(id)};\n`);
      out('}\n');
    } else {
      for (const { id, done, key, needs } of rows) out(`${done ? '✔' : '·'} ${id}  ${key.slice(0, 12)}${needs.length > 0 ? `\n    ← ${needs.join('\n    ← ')}` : ''}\n`);
    }
    return 0;
  },
};
