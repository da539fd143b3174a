import { EngineError } from '../error.ts';
import { dockerfileError, expandWord, type Dockerfile, type Instruction, type Stage } from './dockerfile/index.ts';
import { parseRunMount } from './run-mount.ts';

export type StageBase = { kind: 'scratch' } | { kind: 'stage'; index: number } | { kind: 'image'; name: string };

export interface PlannedStage {
  index: number;
  name: string;
  base: StageBase;
  /** '' for the build's own. */
  platform: string;
  stage: Stage;
  needed: boolean;
}

export interface BuildPlan {
  stages: PlannedStage[];
  target: PlannedStage;
  /** ARGs in front of the first FROM, with their values. */
  globals: ReadonlyMap<string, string>;
  /** Steps that are carried out, global ARGs among them. */
  stepCount: number;
}

export interface PlanOptions {
  /** Name or number; '' for the last stage. */
  target: string;
  buildArgs: ReadonlyMap<string, string>;
  /** TARGETARCH and its like: known in FROM without being declared. */
  platformArgs: ReadonlyMap<string, string>;
  /** One more LABEL at the end of the target. */
  labels: Readonly<Record<string, string>>;
}

/** Which stages there are, what each stands on, and which the target needs. Throws 'invalid'. */
export function planBuild(dockerfile: Dockerfile, options: PlanOptions): BuildPlan {
  const globals = globalArgs(dockerfile, options);
  const inFrom = (name: string): string | undefined => globals.get(name) ?? options.platformArgs.get(name);
  const stages: PlannedStage[] = [];
  for (const [index, stage] of dockerfile.stages.entries()) {
    const { line, image, platform } = stage.from;
    const name = expandAt(image, inFrom, dockerfile.escape, line);
    if (name === '') throw dockerfileError(line, `base name (${image}) should not be blank`, 'an ARG in front of the first FROM, or --build-arg, gives it a value');
    const earlier = stages.findLast((candidate) => candidate.name !== '' && candidate.name === name.toLowerCase());
    const base: StageBase = earlier !== undefined ? { kind: 'stage', index: earlier.index } : name === 'scratch' ? { kind: 'scratch' } : { kind: 'image', name };
    stages.push({ index, name: stage.from.stage, base, platform: expandAt(platform, inFrom, dockerfile.escape, line), stage, needed: false });
  }
  const target = findTarget(stages, options.target);
  addLabels(target, options.labels);
  markNeeded(stages, target);
  const stepCount = dockerfile.globalArgs.length + stages.filter(({ needed }) => needed).reduce((sum, { stage }) => sum + 1 + stage.instructions.length, 0);
  return { stages, target, globals, stepCount };
}

/** What `--from` names: an earlier stage, else an image. Throws 'invalid' for the stage itself and later ones. */
export function resolveFrom(stages: readonly PlannedStage[], current: number, from: string, line: number): StageBase {
  if (/^\d+$/.test(from)) {
    const index = Number(from);
    if (index >= current) throw dockerfileError(line, `invalid from flag value ${from}: ${index === current ? 'refers to current build block' : 'that stage comes later, or not at all'}`);
    return { kind: 'stage', index };
  }
  const named = stages.slice(0, current).findLast(({ name }) => name !== '' && name === from.toLowerCase());
  if (named !== undefined) return { kind: 'stage', index: named.index };
  if (stages[current]?.name !== '' && stages[current]?.name === from.toLowerCase()) throw dockerfileError(line, `invalid from flag value ${from}: refers to current build block`);
  return { kind: 'image', name: from };
}

function globalArgs({ globalArgs: declared, escape }: Dockerfile, { buildArgs, platformArgs }: PlanOptions): Map<string, string> {
  const globals = new Map<string, string>();
  for (const { args, line } of declared) {
    for (const { name, value } of args) {
      const given = buildArgs.get(name) ?? (value === undefined ? platformArgs.get(name) : expandAt(value, (other) => globals.get(other) ?? platformArgs.get(other), escape, line));
      if (given !== undefined) globals.set(name, given);
    }
  }
  return globals;
}

function findTarget(stages: readonly PlannedStage[], wanted: string): PlannedStage {
  const found = wanted === '' ? stages.at(-1) : (stages.findLast(({ name }) => name === wanted.toLowerCase()) ?? (/^\d+$/.test(wanted) ? stages[Number(wanted)] : undefined));
  if (found !== undefined) return found;
  const names = stages.flatMap(({ name }) => (name === '' ? [] : [name]));
  throw new EngineError('invalid', 'TARGET_UNKNOWN', `failed to reach build target ${wanted} in Dockerfile`, names.length === 0 ? {} : { hint: `its stages are ${names.join(', ')}` });
}

function addLabels(target: PlannedStage, labels: Readonly<Record<string, string>>): void {
  const quote = (text: string): string => `'${text.replaceAll("'", `'"'"'`)}'`;
  const pairs = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]): [string, string] => [quote(name), quote(value)]);
  if (pairs.length === 0) return;
  const text = `LABEL ${pairs.map(([name, value]) => `${name}=${value}`).join(' ')}`;
  target.stage = { ...target.stage, instructions: [...target.stage.instructions, { kind: 'label', pairs, line: target.stage.from.line, text }] };
}

function markNeeded(stages: readonly PlannedStage[], target: PlannedStage): void {
  const pending = [target];
  for (let stage = pending.pop(); stage !== undefined; stage = pending.pop()) {
    if (stage.needed) continue;
    stage.needed = true;
    const bases = [stage.base, ...stage.stage.instructions.flatMap((instruction) => sourcesOf(stages, stage.index, instruction))];
    for (const base of bases) if (base.kind === 'stage') pending.push(...stages.filter(({ index }) => index === base.index));
  }
}

function sourcesOf(stages: readonly PlannedStage[], index: number, instruction: Instruction): StageBase[] {
  if (instruction.kind === 'copy' && instruction.options.from !== '') return [resolveFrom(stages, index, instruction.options.from, instruction.line)];
  if (instruction.kind !== 'run') return [];
  return instruction.mounts.flatMap((mount) => {
    const { from } = parseRunMount(mount, instruction.line);
    return from === '' ? [] : [resolveFrom(stages, index, from, instruction.line)];
  });
}

function expandAt(word: string, variables: (name: string) => string | undefined, escape: string, line: number): string {
  try {
    return expandWord(word, variables, { escape });
  } catch (error) {
    throw dockerfileError(line, error instanceof Error ? error.message : String(error));
  }
}
