import { basename } from 'node:path';

import { build, type OutputFile } from 'esbuild';

export interface EngineBundle {
  /**
   * ES modules for QuickJS that import nothing but each other and `host:*`. Each begins with a line `//# module=NAME`; the first is the
   * program, the others are loaded when something imports them.
   */
  code: string;
  /** Source map of `code` by its lines (an index map, with a section for each module), for the stack traces that positions in the bytecode give. */
  map: string;
  /** Files that went in, relative to `home`, sorted: what the result depends on. */
  inputs: string[];
}

/** The module of the program; stack traces name it. */
const program = 'minke';

/**
 * Bundles a program of the engine from its TypeScript. What it imports with `import()` becomes a module by itself, which costs neither
 * time nor memory where it is not called for; what several need is a module too.
 *
 * @param home folder that paths in the source map are relative to, so that the result does not depend on where the checkout lies
 * @param entry the program, relative to `home`
 *
 * Names are kept as they are: shorter ones would save 4 % of the binary and make every stack trace unreadable without the map.
 * Throws esbuild's BuildFailure, whose message names file, line and column.
 */
export async function bundleEngine(home: string, entry: string): Promise<EngineBundle> {
  const result = await build({
    absWorkingDir: home,
    entryPoints: [{ in: entry, out: program }],
    outdir: '.',
    bundle: true,
    splitting: true,
    chunkNames: '[name]-[hash]',
    write: false,
    platform: 'neutral',
    format: 'esm',
    target: 'es2023',
    external: ['host:*'],
    minifySyntax: true,
    minifyWhitespace: true,
    charset: 'utf8',
    legalComments: 'none',
    sourcemap: 'external',
    sourcesContent: false,
    metafile: true,
    tsconfigRaw: { compilerOptions: { target: 'ES2023', verbatimModuleSyntax: true } },
    logLevel: 'silent',
  });
  return { ...joinModules(result.outputFiles), inputs: Object.keys(result.metafile.inputs).toSorted() };
}

function joinModules(files: readonly OutputFile[]): Pick<EngineBundle, 'code' | 'map'> {
  const named = new Map(files.map((file) => [basename(file.path), file.text]));
  const modules = [...named.keys()].filter((name) => name.endsWith('.js')).toSorted((one, other) => Number(other === `${program}.js`) - Number(one === `${program}.js`) || (one < other ? -1 : 1));
  let code = '';
  const sections = modules.map((name) => {
    const [text, map] = [named.get(name), named.get(`${name}.map`)];
    if (text === undefined || map === undefined) throw new Error(`esbuild gave no map of ${name}`);
    code += `//# module=${name}\n`;
    const line = code.split('\n').length - 1;
    code += text.endsWith('\n') ? text : `${text}\n`;
    return { offset: { line, column: 0 }, map: JSON.parse(map) as unknown };
  });
  return { code, map: JSON.stringify({ version: 3, file: `${program}.js`, sections }) };
}
