import type { RecipeSource } from '../../model/index.ts';
import { ensure, type BootCheck } from './check.ts';

/** The checks that recipes bring, in the recipes' order. */
export function recipeChecks(recipes: readonly RecipeSource[], mode: 'development' | 'production'): BootCheck[] {
  return recipes.flatMap(({ name, recipe }) =>
    (recipe.checks ?? [])
      .filter((check) => check.mode === undefined || check.mode === mode)
      .map((check): BootCheck => {
        const expected = check.expect === undefined ? null : new RegExp(check.expect, 'm');
        const timeoutSeconds = check.timeoutSeconds ?? 60;
        return {
          name: `${name}: ${check.name}`,
          run: (board) =>
            board.eventually(check.retrySeconds ?? 0, async () => {
              const text = await board.need(check.run, { timeoutMs: timeoutSeconds * 1000 * board.scale });
              ensure(expected === null || expected.test(text), `printed ${JSON.stringify(text.slice(0, 400))}, which ${String(expected)} does not match`);
              return text.trim().split('\n').at(-1)?.slice(0, 120);
            }),
        };
      }),
  );
}
