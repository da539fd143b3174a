import { closeSync, openSync, readSync } from 'node:fs';
import { createHash } from 'node:crypto';
import picomatch from 'picomatch';
import { listFolder, readText, realPath, type RootTree, type TreeNode } from '../../../../src/providers/debian/tar/index.ts';

/** How a path of our root differs from one whose maintainer scripts ran. */
export interface Difference {
  path: string;
  kind: 'missing' | 'extra' | 'type' | 'mode' | 'owner' | 'target' | 'content';
  detail: string;
}

/** An explained difference of differences.yaml. */
export interface Explanation {
  path: string;
  kinds?: Difference['kind'][];
  reason: string;
}

/** All differences between a root made by maintainer scripts and one of ours, sorted by path. */
export function compareRoots(scripted: RootTree, ours: RootTree): Difference[] {
  const differences: Difference[] = [];
  const names = { scripted: accountNames(scripted), ours: accountNames(ours) };
  for (const path of [...new Set([...scripted.keys(), ...ours.keys()])].toSorted()) {
    const a = whole(scripted, path);
    const b = whole(ours, path);
    const add = (kind: Difference['kind'], detail: string): number => differences.push({ path: `/${path}`, kind, detail });
    if (a === undefined || b === undefined) {
      add(b === undefined ? 'missing' : 'extra', (a ?? b)?.entry.type ?? '');
      continue;
    }
    if (a.entry.type !== b.entry.type) {
      add('type', `${a.entry.type} → ${b.entry.type}`);
      continue;
    }
    const owner = (node: TreeNode, of: AccountNames): string => `${of.users.get(node.entry.uid) ?? node.entry.uid}:${of.groups.get(node.entry.gid) ?? node.entry.gid}`;
    if (owner(a, names.scripted) !== owner(b, names.ours)) add('owner', `${owner(a, names.scripted)} → ${owner(b, names.ours)}`);
    if (a.entry.type === 'link') {
      if (leadsTo(scripted, path, a.entry.target) !== leadsTo(ours, path, b.entry.target)) add('target', `${a.entry.target} → ${b.entry.target}`);
      continue;
    }
    if (a.entry.mode !== b.entry.mode) add('mode', `${a.entry.mode.toString(8)} → ${b.entry.mode.toString(8)}`);
    if (a.entry.type !== 'file') continue;
    const [left, right] = [comparable(scripted, path, a, names.scripted), comparable(ours, path, b, names.ours)];
    if (left !== right) add('content', left.length < 2000 && right.length < 2000 ? firstDifference(left, right) : `${a.entry.sizeBytes} → ${b.entry.sizeBytes} bytes`);
  }
  return differences;
}

/** Differences that no explanation covers, and explanations that cover nothing any more. */
export function unexplained(differences: Difference[], explanations: Explanation[]): { differences: Difference[]; unused: Explanation[] } {
  const rules = explanations.map((explanation) => ({ explanation, matches: picomatch(explanation.path, { dot: true }), used: false }));
  const left = differences.filter((difference) => {
    const covering = rules.filter((rule) => rule.matches(difference.path) && (rule.explanation.kinds?.includes(difference.kind) ?? true));
    for (const rule of covering) rule.used = true;
    return covering.length === 0;
  });
  return { differences: left, unused: rules.filter((rule) => !rule.used).map((rule) => rule.explanation) };
}

/** Paths of the packages that the scripted root has and ours was not asked for, by package. */
export function pathsOfOthers(scripted: RootTree, ours: ReadonlySet<string>): Map<string, Set<string>> {
  const owners = new Map<string, Set<string>>();
  for (const name of listFolder(scripted, 'var/lib/dpkg/info')) {
    if (!name.endsWith('.list')) continue;
    const packageName = name.slice(0, -5).split(':')[0] ?? '';
    for (const line of (readText(scripted, `var/lib/dpkg/info/${name}`) ?? '').split('\n')) {
      if (line === '' || line === '/.') continue;
      const path = line.replace(/^\/(bin|sbin|lib|lib64)\//, '/usr/$1/');
      owners.set(path, (owners.get(path) ?? new Set()).add(packageName));
    }
  }
  const others = new Map<string, Set<string>>();
  for (const [path, packages] of owners) {
    if ([...packages].some((name) => ours.has(name))) continue;
    const [first = ''] = packages;
    others.set(first, (others.get(first) ?? new Set()).add(path));
  }
  return others;
}

interface AccountNames {
  users: Map<number, string>;
  groups: Map<number, string>;
}

function accountNames(tree: RootTree): AccountNames {
  const read = (file: string): Map<number, string> => new Map((readText(tree, file) ?? '').split('\n').map((line) => [Number(line.split(':')[2]), line.split(':')[0] ?? '']));
  return { users: read('etc/passwd'), groups: read('etc/group') };
}

/** What is to be equal in a file: of account files names instead of derived numbers and no dates, of PAM files no trailing blanks. */
function comparable(tree: RootTree, path: string, node: TreeNode, names: AccountNames): string {
  const lines = (): string[] => (readText(tree, path) ?? '').split('\n').filter((line) => line !== '');
  const number = (value: string, of: Map<number, string>): string => (Number(value) < 100 || Number(value) > 60_000 ? value : (of.get(Number(value)) ?? value));
  switch (path) {
    case 'etc/passwd':
      return lines().map((line) => line.split(':')).map(([name, , uid = '', gid = '', comment, home, shell]) => [name, number(uid, names.users), number(gid, names.groups), comment, home, shell].join(':')).toSorted().join('\n');
    case 'etc/group':
      return lines().map((line) => line.split(':')).map(([name, , gid = '', members]) => [name, number(gid, names.groups), members].join(':')).toSorted().join('\n');
    case 'etc/shadow':
      return lines().map((line) => line.split(':')).map(([name, password]) => `${name}:${password?.replace('!*', '!') ?? ''}`).toSorted().join('\n');
    case 'etc/gshadow':
      return lines().map((line) => line.split(':')).map(([name, , , members]) => `${name}:${members ?? ''}`).toSorted().join('\n');
    default:
      return path.startsWith('etc/pam.d/') ? (readText(tree, path) ?? '').replaceAll(/[ \t]+$/gm, '') : hash(node);
  }
}

function hash(node: TreeNode): string {
  const digest = createHash('sha256');
  if (node.content === null) return 'empty';
  if ('bytes' in node.content) return digest.update(node.content.bytes).digest('hex');
  const descriptor = openSync(node.content.file, 'r');
  try {
    const buffer = Buffer.alloc(Math.min(1 << 20, Math.max(1, node.entry.sizeBytes)));
    for (let done = 0; done < node.entry.sizeBytes; ) {
      const length = readSync(descriptor, buffer, 0, Math.min(buffer.length, node.entry.sizeBytes - done), node.content.offset + done);
      if (length === 0) throw new Error('archive ends early');
      digest.update(buffer.subarray(0, length));
      done += length;
    }
  } finally {
    closeSync(descriptor);
  }
  return digest.digest('hex');
}

/** The node, or what a hard link repeats, under the link's own path. */
function whole(tree: RootTree, path: string): TreeNode | undefined {
  const node = tree.get(path);
  return node?.entry.type === 'hardlink' ? tree.get(node.entry.target) : node;
}

function leadsTo(tree: RootTree, path: string, target: string): string {
  return realPath(tree, target.startsWith('/') ? target : `${path.slice(0, Math.max(0, path.lastIndexOf('/')))}/${target}`);
}

function firstDifference(a: string, b: string): string {
  const [left, right] = [new Set(a.split('\n')), new Set(b.split('\n'))];
  return [...[...left].filter((line) => !right.has(line)).map((line) => `-${line}`), ...[...right].filter((line) => !left.has(line)).map((line) => `+${line}`)].slice(0, 12).join(' ');
}
