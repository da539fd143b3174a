import { describe, expect, test } from 'vitest';

import { loadProject, resolveRecipes } from '../../src/config/index.ts';
import { checkNames, suites } from '../../src/device/index.ts';
import { home } from '../boot/osbuild-test.ts';

const project = await loadProject(home, home);
const recipes = await resolveRecipes(project, project.build.recipes ?? []);

describe('suites of checks on boards', () => {
  test.each(suites)('%s: no two checks have one name, so that the result of none is lost', (suite) => {
    const names = checkNames(suite, recipes, 'development', { module: true, radio: true, modem: true, watchdog: true, bluetooth: true, screen: true });
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect(names.length).toBeGreaterThan(5);
  });
});
