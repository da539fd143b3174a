import { build } from 'esbuild';

export interface EngineBundle {
  /** One ES module for QuickJS that imports nothing but `host:*`. */
  code: string;
  /** Source map of `code`, for the stack traces that positions in the bytecode give. */
  map: string;
  /** Files that went in, relative to `home`, sorted: what the result depends on. */
  inputs: string[];
}

/**
 * Bundles a program of the engine from its TypeScript.
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
    entryPoints: [entry],
    outfile: 'minke.js',
    bundle: true,
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
  const text = (suffix: string): string => {
    const file = result.outputFiles.find((output) => output.path.endsWith(suffix));
    if (file === undefined) throw new Error(`esbuild gave no ${suffix}`);
    return file.text;
  };
  return { code: text('.js'), map: text('.js.map'), inputs: Object.keys(result.metafile.inputs).toSorted() };
}
