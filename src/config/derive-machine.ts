import { parseDocument, YAMLMap, YAMLSeq, type Document } from 'yaml';

/** What a new board has of its own; the rest is as the neighbour has it. */
export interface NewMachine {
  /** Name of the board as its maker writes it. */
  description: string;
  /** Paths or globs below the kernel's device tree folder; none for boards that bring their own. */
  deviceTrees: string[];
  /** Name of the serial console, such as ttyS0; null where the neighbour's is the same. */
  console: string | null;
  /** U-Boot's program inside its package; null where the neighbour's is the same, or for UEFI. */
  uboot: { package: string | null; file: string } | null;
}

/**
 * Text of a new machine file, made of a neighbour's with its lists and comments. Names, the emulation lane and what was
 * verified are the neighbour's own and do not come along.
 */
export function deriveMachine(neighbour: string, own: NewMachine): string {
  const document = parseDocument(neighbour);
  document.set('description', own.description);
  for (const key of ['aliases', 'qemu']) document.delete(key);
  if (own.deviceTrees.length === 0) document.deleteIn(['kernel', 'deviceTrees']);
  else {
    removeComment(document, ['kernel'], 'deviceTrees');
    document.setIn(['kernel', 'deviceTrees'], list(document, own.deviceTrees));
  }
  if (own.console !== null) {
    removeComment(document, ['kernel'], 'commandLine');
    document.setIn(['kernel', 'commandLine'], list(document, ['console=tty0', `console=${own.console},115200`]));
  }
  if (own.uboot !== null && document.getIn(['boot', 'method']) === 'u-boot') setUboot(document, own.uboot);
  document.set('verified', document.createNode({ level: 'layout', how: 'Nothing yet - written by osbuild new-machine.' }));
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

function setUboot(document: Document, { package: packageName, file }: { package: string | null; file: string }): void {
  const before = document.getIn(['boot', 'file']);
  document.setIn(['boot', 'file'], file);
  const samePackage = packageName === null || document.getIn(['boot', 'package', 'package']) === packageName;
  if (packageName !== null) setPackage(document, packageName);
  const areas = document.getIn(['boot', 'areas']);
  if (!(areas instanceof YAMLSeq) || typeof before !== 'string') return;
  // Of another package, and so of another chip: those offsets are not this board's.
  if (!samePackage) for (const path of [['boot', 'areas'], ['boot', 'osip'], ['files']]) document.deleteIn(path);
  const [from, to] = [folderOf(before), folderOf(file)];
  for (const item of areas.items) {
    if (!(item instanceof YAMLMap)) continue;
    const program = item.get('file');
    if (program === before) item.set('file', file);
    else if (typeof program === 'string' && program.startsWith(from)) item.set('file', `${to}${program.slice(from.length)}`);
  }
}

/** A neighbour's U-Boot may be built from source: then its architecture stays. */
function setPackage(document: Document, name: string): void {
  const architecture = document.getIn(['boot', 'source', 'architecture']);
  if (architecture !== undefined) {
    document.deleteIn(['boot', 'source']);
    document.setIn(['boot', 'package'], document.createNode({ package: name, architecture }, { flow: true }));
  } else document.setIn(['boot', 'package', 'package'], name);
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1);

function list(document: Document, words: string[]): YAMLSeq {
  const node = document.createNode(words) as YAMLSeq;
  node.flow = words.join(', ').length < 100;
  return node;
}

/** What was said of the neighbour's value does not hold for another. */
function removeComment(document: Document, path: string[], key: string): void {
  const map = document.getIn(path);
  if (!(map instanceof YAMLMap)) return;
  const pair = map.items.find((item) => String(item.key) === key);
  if (pair !== undefined && typeof pair.key === 'object' && pair.key !== null) (pair.key as { commentBefore?: string | null }).commentBefore = null;
}
