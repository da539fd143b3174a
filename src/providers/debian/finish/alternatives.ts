import { exists, putLink, type RootTree } from '../tar/index.ts';

/** One `update-alternatives --install`, or one of its slaves. */
export interface Alternative {
  /** Path that users of the alternative name. */
  link: string;
  name: string;
  /** Path of the program that stands behind it. */
  path: string;
  priority: number;
  /** Whether it only follows its master. */
  slave: boolean;
  /** Name of the master; its own for a master. */
  master: string;
}

/** Reads the alternatives that a maintainer script registers with literal paths; what it computes is passed over. */
export function parseAlternatives(script: string): Alternative[] {
  const found: Alternative[] = [];
  const joined = script.replaceAll(/\\\n/g, ' ');
  for (const match of joined.matchAll(/update-alternatives\b([^;&|\n]*--install[^;&|\n]*)/g)) {
    const words = (match[1] ?? '').trim().split(/\s+/).map((word) => word.replaceAll(/^["']|["']$/g, ''));
    const install = words.indexOf('--install');
    const [link = '', name = '', path = '', priority = ''] = words.slice(install + 1, install + 5);
    if (!isPath(link) || !isPath(path) || !/^-?\d+$/.test(priority)) continue;
    found.push({ link, name, path, priority: Number(priority), slave: false, master: name });
    for (let index = words.indexOf('--slave'); index >= 0; index = words.indexOf('--slave', index + 1)) {
      const [slaveLink = '', slaveName = '', slavePath = ''] = words.slice(index + 1, index + 4);
      if (isPath(slaveLink) && isPath(slavePath)) found.push({ link: slaveLink, name: slaveName, path: slavePath, priority: Number(priority), slave: true, master: name });
    }
  }
  return found;
}

/** Makes the links of the alternatives of highest priority whose program is in the image, as dpkg would have chosen. */
export function placeAlternatives(tree: RootTree, scripts: string[]): void {
  const all = scripts.flatMap((script) => parseAlternatives(script));
  const best = new Map<string, Alternative>();
  for (const candidate of all) {
    if (candidate.slave || !exists(tree, candidate.path.slice(1))) continue;
    const chosen = best.get(candidate.name);
    if (chosen === undefined || candidate.priority > chosen.priority) best.set(candidate.name, candidate);
  }
  for (const candidate of all) {
    const chosen = best.get(candidate.master);
    const belongs = candidate === chosen || (candidate.slave && chosen !== undefined && candidate.priority === chosen.priority);
    if (!belongs || !exists(tree, candidate.path.slice(1)) || tree.has(candidate.link.slice(1))) continue;
    putLink(tree, `etc/alternatives/${candidate.name}`, candidate.path);
    putLink(tree, candidate.link.slice(1), `/etc/alternatives/${candidate.name}`);
  }
}

function isPath(word: string): boolean {
  return /^\/[\w./+-]+$/.test(word);
}
