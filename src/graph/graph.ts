import type { AnyTask, Input } from '../model/index.ts';

/** Tasks by id in an order in which every task comes after those it reads from. */
export interface Graph {
  tasks: Map<string, AnyTask>;
  /** Task id → ids of the tasks that it reads from. */
  needs: Map<string, string[]>;
}

/** Id of the task that an input comes from, if it comes from one. */
export function sourceTask(input: Input): string | null {
  return input.from === 'sources' ? null : input.task;
}

/**
 * Orders tasks and drops what the targets do not need. The same task planned twice (two machines that share a tools
 * tree) is kept once. Unknown references, cycles and two different tasks with one id are bugs of a planner.
 */
export function buildGraph(planned: readonly AnyTask[], targets: readonly string[]): Graph {
  const byId = new Map<string, AnyTask>();
  for (const task of planned) {
    const known = byId.get(task.id);
    if (known && JSON.stringify(known) !== JSON.stringify(task)) throw new Error(`two different tasks are called ${task.id}`);
    byId.set(task.id, task);
  }

  const graph: Graph = { tasks: new Map(), needs: new Map() };
  const open = new Set<string>();
  const visit = (id: string, from: string): void => {
    if (graph.tasks.has(id)) return;
    if (open.has(id)) throw new Error(`tasks depend on each other: ${[...open, id].join(' → ')}`);
    const task = byId.get(id);
    if (!task) throw new Error(`${from} reads from the task ${id}, which nobody planned`);
    open.add(id);
    const needs = [...new Set(Object.values(task.inputs).map(sourceTask).filter((need) => need !== null))];
    for (const need of needs) visit(need, id);
    open.delete(id);
    graph.tasks.set(id, task);
    graph.needs.set(id, needs);
  };
  for (const target of targets) visit(target, 'the build');
  return graph;
}
