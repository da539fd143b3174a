// The table of services in docs/security.md, and the tool that measures them.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const target = fileURLToPath(new URL('security.md', import.meta.url));

/** Rows of the table: unit, exposure as written, reason, and the line itself. */
export function scores() {
  return [...readFileSync(target, 'utf8').matchAll(/^\| `([^`]+\.service)` \| ([\d.]+) \| ?(.*?) ?\|$/gm)].map(([line, unit, score, reason]) => ({ unit, score: Number(score), reason, line }));
}

/** Exposure of a unit below a root, by systemd-analyze. */
export function exposure(root, unit) {
  const output = execFileSync('systemd-analyze', ['security', '--offline=true', `--root=${root}`, '--no-pager', unit], { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8' }, stdio: ['ignore', 'pipe', 'pipe'] });
  const found = /Overall exposure level for \S+: ([\d.]+)/.exec(output)?.[1];
  if (found === undefined) throw new Error(`systemd-analyze says nothing of ${unit}: ${output}`);
  return Number(found);
}
