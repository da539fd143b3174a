// Writes layers/meta-minke/recipes-kernel/linux/files/{minke,minke-edison}.cfg, what bitbake's kernels are asked for, from the fragments that kernels of
// Debian's source are built with; with --check, fails where they differ.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const target = join(home, 'layers', 'meta-minke', 'recipes-kernel', 'linux', 'files');

/**
 * What stays as the board's layer has it, beside everything that our fragments switch off: our kernels begin with what the architecture needs at least,
 * those of board makers with their own choice.
 */
const boards = new Set([
  // Would take drivers of a board's own cameras and codecs away.
  'CONFIG_MEDIA_SUPPORT_FILTER',
  // One of several that exclude each other.
  'CONFIG_PREEMPT_VOLUNTARY',
]);

/** The parts of a fragment: each a comment of one or more lines, and the settings below it, until an empty line. */
const parts = (path) =>
  readFileSync(join(home, path), 'utf8').trim().split(/\n\n+/).map((part) => {
    const lines = part.split('\n');
    const settings = lines.filter((line) => line.startsWith('CONFIG_') && !boards.has(line.slice(0, line.indexOf('='))));
    return { title: lines[0].slice(2), settings };
  });

/** One file: the parts of its sources, or of those that have a list of titles only these. */
function fragment(name, sources) {
  const from = sources.map(({ path }) => path).join(' and ');
  const chosen = sources.flatMap(({ path, titles }) => {
    const found = parts(path).filter(({ title, settings }) => settings.length > 0 && (titles ?? [title]).includes(title));
    const missing = (titles ?? []).filter((title) => !found.some((part) => part.title === title));
    if (missing.length > 0) throw new Error(`${path}: no part "${missing.join('", "')}"`);
    return found;
  });
  return { name, text: `# Generated from ${from} by src/providers/yocto/generate-fragments.mjs: edit those.\n${chosen.map(({ title, settings }) => `\n# ${title}\n${settings.join('\n')}\n`).join('')}` };
}

const fragments = [
  fragment('minke.cfg', [{ path: 'recipes/kernel/fragments/minke.config' }, { path: 'machines/kernel/comfort.config' }]),
  // Where the disks are; for all else the layer of the Edison has its own choice.
  fragment('minke-edison.cfg', [{ path: 'machines/kernel/intel-edison.config', titles: ['eMMC and SD.', 'The PC that QEMU emulates.'] }]),
];
for (const { name, text } of fragments) {
  const path = join(target, name);
  if (!process.argv.includes('--check')) writeFileSync(path, text);
  else if (readFileSync(path, 'utf8') !== text) {
    process.stderr.write(`stale: ${name} of meta-minke; run: npm run generate\n`);
    process.exitCode = 1;
  }
}
