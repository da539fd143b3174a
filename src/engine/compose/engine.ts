import type { Observed } from './observed.ts';
import type { Executors } from './plan.ts';
import type { Project } from './project.ts';

export interface ContainerEvent {
  readonly id: string;
  readonly action: string;
}

/** What the keeper wants of the engine. */
export interface ComposeEngine {
  observe(project: Project): Promise<Observed>;
  /** Events of containers as they happen; ends, or throws, when the engine goes. */
  events(): AsyncIterable<ContainerEvent>;
  executors(project: Project): Executors;
  /** Whether an error means that the engine does not answer. */
  isGone(error: unknown): boolean;
}
