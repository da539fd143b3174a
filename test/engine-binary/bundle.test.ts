import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { bundleEngine } from '../../src/engine-binary/index.ts';

describe('the bundle', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'osbuild-bundle-'));
    mkdirSync(join(folder, 'src'));
    writeFileSync(join(folder, 'src/main.ts'), "import { log } from 'host:process';\nimport { greet } from './greet.ts';\nlog(greet('ü'));\n");
    writeFileSync(join(folder, 'src/greet.ts'), 'export function greet(name: string): string {\n  return `hello ${name}`;\n}\nexport const unused = 1;\n');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('is one module that imports from the host alone', async () => {
    const { code, inputs } = await bundleEngine(folder, 'src/main.ts');
    expect([...code.matchAll(/from\s*["']([^"']+)["']/g)].map((match) => match[1])).toEqual(['host:process']);
    expect(inputs).toEqual(['src/greet.ts', 'src/main.ts']);
    expect(code).not.toContain('unused');
  });

  test('has a module for what is imported late, and one for what both need; the program comes first', async () => {
    writeFileSync(join(folder, 'src/late.ts'), "import { greet } from './greet.ts';\nexport const late = () => greet('late');\n");
    writeFileSync(join(folder, 'src/main.ts'), "import { log } from 'host:process';\nimport { greet } from './greet.ts';\nlog(greet('now'));\nlog((await import('./late.ts')).late());\n");
    const { code, map } = await bundleEngine(folder, 'src/main.ts');
    const names = [...code.matchAll(/^\/\/# module=(.*)$/gm)].map(([, name = '']) => name);
    expect(names).toEqual(['minke.js', expect.stringMatching(/^chunk-\w+\.js$/), expect.stringMatching(/^late-\w+\.js$/)]);
    for (const [, name] of code.matchAll(/(?:from|import\()\s*["']\.\/([^"']+)["']/g)) expect(names).toContain(name);
    const { sections } = JSON.parse(map) as { sections: { offset: { line: number }; map: { sources: string[] } }[] };
    const lines = code.split('\n');
    expect(sections.map(({ offset }) => lines[offset.line - 1])).toEqual(names.map((name) => `//# module=${name}`));
    expect(sections.map((section) => section.map.sources)).toEqual([['src/main.ts'], ['src/greet.ts'], ['src/late.ts']]);
  });

  test('keeps names, for the stack traces', async () => {
    expect((await bundleEngine(folder, 'src/main.ts')).code).toContain('function greet(');
  });

  test('does not depend on where the checkout lies', async () => {
    const other = mkdtempSync(join(tmpdir(), 'osbuild-bundle-elsewhere-'));
    try {
      cpSync(folder, other, { recursive: true });
      const [one, two] = [await bundleEngine(folder, 'src/main.ts'), await bundleEngine(other, 'src/main.ts')];
      expect(two).toEqual(one);
      expect(one.map).toContain('"src/greet.ts"');
      expect(one.map).not.toContain(folder);
    } finally {
      rmSync(other, { recursive: true });
    }
  });

  test('an error names file, line and column', async () => {
    writeFileSync(join(folder, 'src/greet.ts'), 'export const greet = ;\n');
    await expect(bundleEngine(folder, 'src/main.ts')).rejects.toThrow(/src\/greet\.ts:1:21/);
  });

  test('modules of Node are refused', async () => {
    writeFileSync(join(folder, 'src/greet.ts'), "export { basename as greet } from 'node:path';\n");
    await expect(bundleEngine(folder, 'src/main.ts')).rejects.toThrow(/node:path/);
  });
});
