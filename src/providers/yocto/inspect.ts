import type { YoctoImageArgs } from '../../model/index.ts';
import type { BuildState } from './bitbake/progress.ts';

/** A recipe that bitbake chose, with its version and revision. */
export interface ChosenRecipe {
  recipe: string;
  version: string;
}

/** plan.json: what bitbake would build for a machine. */
export interface YoctoInspection {
  name: string;
  machine: string;
  targets: string[];
  /** Recipe files read; left out by BBMASK; that say of themselves that they do not fit this machine or distribution. */
  parsed: { recipes: number; masked: number; skipped: number };
  /** Of the plan: recipes for the machine, for the build host and its tools, and tasks of all. */
  planned: { target: number; native: number; tasks: number };
  kernel: (ChosenRecipe & { fragments: readonly string[] }) | null;
  bootLoader: ChosenRecipe | null;
  /** All recipes of the plan. */
  recipes: Record<string, string>;
  warnings: number;
  /** Reading recipes and planning. */
  durationMs: number;
}

/** Recipes that run on the build host. */
const native = /-native$|-cross(-|$)|-crosssdk|^nativesdk-/;

/** Sums up what was seen of a plan. Pure. Throws where bitbake told of none. */
export function inspection({ name, machine, targets }: Pick<YoctoImageArgs, 'name' | 'machine' | 'targets'>, { plan, parsed, warnings }: Pick<BuildState, 'plan' | 'parsed' | 'warnings'>, durationMs: number): YoctoInspection {
  if (plan === null) throw new Error('bitbake ended well and told no plan');
  const chosen = (recipe: string | undefined): ChosenRecipe | null => {
    const version = recipe === undefined ? undefined : plan.recipes[recipe];
    return recipe === undefined || version === undefined ? null : { recipe, version };
  };
  const kernel = chosen(plan.providers['virtual/kernel']);
  const names = Object.keys(plan.recipes).toSorted();
  const forHost = names.filter((recipe) => native.test(recipe)).length;
  return {
    name,
    machine,
    targets: [...targets],
    parsed: parsed ?? { recipes: 0, masked: 0, skipped: 0 },
    planned: { target: names.length - forHost, native: forHost, tasks: plan.tasks },
    kernel: kernel === null ? null : { ...kernel, fragments: plan.kernelFragments },
    bootLoader: chosen(targets.includes('virtual/bootloader') ? plan.providers['virtual/bootloader'] : 'systemd-boot'),
    recipes: Object.fromEntries(names.map((recipe) => [recipe, plan.recipes[recipe] ?? ''])),
    warnings,
    durationMs,
  };
}
