import { deflateRawSync } from 'node:zlib';

import { build } from 'esbuild';

/** The agent as one ES module that imports nothing but Node.js' own. @param home folder of the program */
export async function bundleAgent(home: string): Promise<string> {
  const result = await build({ absWorkingDir: home, entryPoints: ['src/remote/agent/main.ts'], bundle: true, write: false, platform: 'node', format: 'esm', target: 'node20', minify: true, logLevel: 'silent' });
  const code = result.outputFiles[0]?.text;
  if (code === undefined) throw new Error('esbuild made no agent');
  return code;
}

/** A command that every login shell reads the same: the agent is packed, without quotes and blanks, and short enough for small SSH servers as well. */
export function agentCommand(code: string, words: readonly string[]): string {
  const packed = deflateRawSync(code, { level: 9 }).toString('base64');
  return [`node -e 'import("data:text/javascript;base64,"+require("zlib").inflateRawSync(Buffer.from("${packed}","base64")).toString("base64"))'`, ...words].join(' ');
}
