import type { YamlNode } from '../engine/compose/yaml/index.ts';

/** A document as YAML: anchors and merges are resolved, variables stay as they are. Pure. */
export function emitYaml(node: YamlNode): string {
  return `${block(node, '').replace(/^\n/, '')}\n`;
}

function block(node: YamlNode, indent: string): string {
  if (node.kind === 'scalar') return ` ${scalar(node)}`;
  if (node.kind === 'map') {
    if (node.entries.size === 0) return ' {}';
    return [...node.entries].map(([key, value]) => `\n${indent}${JSON.stringify(key)}:${block(value, `${indent}  `)}`).join('');
  }
  if (node.items.length === 0) return ' []';
  return node.items.map((item) => `\n${indent}-${item.kind === 'scalar' ? block(item, '') : block(item, `${indent}  `)}`).join('');
}

/** What is a number or a flag stays as it was written: 0o10 and 1.50 are told from 8 and 1.5. */
function scalar({ value, text }: Extract<YamlNode, { kind: 'scalar' }>): string {
  return typeof value === 'string' ? JSON.stringify(value) : text === '' ? 'null' : text;
}
