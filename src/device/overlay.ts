/** A node of a device tree; values of properties are bytes, or text that is ended as device trees have it. */
export interface TreeNode {
  properties?: Readonly<Record<string, string | Buffer>>;
  nodes?: Readonly<Record<string, TreeNode>>;
}

const token = { begin: 1, end: 2, property: 3, last: 9 };
const headerBytes = 40;
const reserveBytes = 16;

/** A device tree as firmware and kernels read it (Devicetree Specification 0.4, chapter 5, version 17). */
export function packDeviceTree(root: TreeNode): Buffer {
  const names: string[] = [];
  const words: Buffer[] = [];
  const offsetOf = (name: string): number => {
    if (!names.includes(name)) names.push(name);
    return names.slice(0, names.indexOf(name)).reduce((sum, one) => sum + one.length + 1, 0);
  };
  const visit = (name: string, { properties = {}, nodes = {} }: TreeNode): void => {
    words.push(number(token.begin), aligned(text(name)));
    for (const [property, value] of Object.entries(properties)) {
      const bytes = typeof value === 'string' ? text(value) : value;
      words.push(number(token.property), number(bytes.length), number(offsetOf(property)), aligned(bytes));
    }
    for (const [below, node] of Object.entries(nodes)) visit(below, node);
    words.push(number(token.end));
  };
  visit('', root);
  words.push(number(token.last));
  const structure = Buffer.concat(words);
  const strings = Buffer.concat(names.map(text));
  const [structureAt, stringsAt] = [headerBytes + reserveBytes, headerBytes + reserveBytes + structure.length];
  const header = [0xd00dfeed, stringsAt + strings.length, structureAt, stringsAt, headerBytes, 17, 16, 0, strings.length, structure.length].map(number);
  return Buffer.concat([...header, Buffer.alloc(reserveBytes), structure, strings]);
}

/** An overlay (.dtbo) that puts nodes below one of the tree, which it names by its path: so it fits trees without symbols. */
export function packOverlay(path: string, node: TreeNode): Buffer {
  return packDeviceTree({ nodes: { 'fragment@0': { properties: { 'target-path': path }, nodes: { __overlay__: node } } } });
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`, 'latin1');
const aligned = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
