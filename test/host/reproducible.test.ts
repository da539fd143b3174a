import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { needToolchain, temporaryFolder } from './support/binary.ts';

const home = new URL('../..', import.meta.url).pathname;

describe('the engine binary', () => {
  // each build runs in a folder with a name of its own
  test('has the same bytes when it is built again elsewhere', (context) => {
    needToolchain(context);
    const folder = temporaryFolder();
    try {
      const build = (name: string): Buffer[] => {
        const out = join(folder.path, name);
        const result = spawnSync('node', ['test/support/build-engine.mjs', '--arch', 'armv6l', '--out', out, '--entry', 'test/host/programs/main.ts'], { cwd: home, encoding: 'utf8' });
        if (result.status !== 0) throw new Error(result.stderr);
        return ['minke', 'minke.debug', 'minke.js.map'].map((file) => readFileSync(join(out, 'armv6l', file)));
      };
      const [one, two] = [build('one'), build('two')];
      for (const [i, bytes] of one.entries()) expect(bytes.equals(two[i] ?? Buffer.alloc(0))).toBe(true);
      expect(one[0]?.includes(home)).toBe(false);
    } finally {
      folder.remove();
    }
  }, 600_000);
});
