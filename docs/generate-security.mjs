// Measures the services of docs/security.md anew: node docs/generate-security.mjs ROOT, the root of an image with its units. The reasons are written by hand.
import { readFileSync, writeFileSync } from 'node:fs';

import { exposure, scores, target } from './security-scores.mjs';

const [root] = process.argv.slice(2);
if (root === undefined) throw new Error('usage: generate-security.mjs ROOT');
let text = readFileSync(target, 'utf8');
for (const { unit, line, reason } of scores()) text = text.replace(line, `| \`${unit}\` | ${exposure(root, unit.replace('@.', '@x.')).toFixed(1)} | ${reason} |`.replace(' |  |', ' | |'));
writeFileSync(target, text);
