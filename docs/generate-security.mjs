// Measures the services of docs/security.md anew: node docs/generate-security.mjs ROOT, the root of an image with its units. The reasons are written by hand.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { exposure, scores, target } from './security-scores.mjs';

const [root] = process.argv.slice(2);
if (root === undefined) throw new Error('usage: generate-security.mjs ROOT');
let text = readFileSync(target, 'utf8');
for (const { unit, line, reason } of scores()) {
  // Recipes that this image does not have keep what was measured.
  if (!existsSync(join(root, 'usr/lib/systemd/system', unit))) continue;
  text = text.replace(line, `| \`${unit}\` | ${exposure(root, unit.replace('@.', '@x.')).toFixed(1)} | ${reason} |`.replace(' |  |', ' | |'));
}
writeFileSync(target, text);
