import { Cursor } from './cursor.ts';
import type { YamlMap, YamlNode, YamlScalar } from './node.ts';
import { meaning, plainEnd, readBlock, readPlain, readQuoted } from './scalars.ts';

/** Far more than people write, and little enough that no document fills the memory through its aliases. */
const MAX_NODES = 50_000;
const MAX_DEPTH = 60;

interface Properties {
  anchor: string | undefined;
  tag: string | undefined;
  /** Where they begin. */
  at: number;
}

/**
 * Reads one document of YAML 1.2 as people write it: block and flow collections, all kinds of scalars, comments, anchors, aliases and merge keys.
 * Not taken: keys that are more than a scalar, tags of one's own, directives, several documents. Throws YamlError.
 */
export function readYaml(text: string): YamlNode {
  return new Reader(new Cursor(text)).document();
}

class Reader {
  private readonly cursor: Cursor;
  private readonly anchors = new Map<string, { node: YamlNode; size: number }>();
  private count = 0;
  private depth = 0;
  /** How far in the collection is that [ or { stands in. */
  private outside = -1;

  constructor(cursor: Cursor) {
    this.cursor = cursor;
  }

  document(): YamlNode {
    const { cursor } = this;
    cursor.skipSpace();
    if (cursor.char === '%' && cursor.column === 0) cursor.fail('a directive (%): leave it out');
    const marked = cursor.atDocumentMark() && cursor.char === '-';
    if (marked) cursor.at += 3;
    const node = this.block(-1, { compact: !marked });
    cursor.skipSpace();
    if (cursor.atDocumentMark() && cursor.char === '.') {
      cursor.at += 3;
      cursor.skipSpace();
    }
    if (cursor.atDocumentMark()) cursor.fail('a second document begins: only one can be taken');
    if (!cursor.ended) cursor.fail(this.leftOver());
    return node;
  }

  private leftOver(): string {
    return `unexpected ${JSON.stringify(/^[^\n]{0,20}/.exec(this.cursor.text.slice(this.cursor.at))?.[0] ?? '')}`;
  }

  private counted(size = 1): void {
    this.count += size;
    if (this.count > MAX_NODES) this.cursor.fail('more values than can be taken, with those that aliases repeat');
  }

  private scalar(text: string, value: YamlScalar['value'], at: number): YamlScalar {
    this.counted();
    return { kind: 'scalar', line: this.cursor.lineOf(at), text, value };
  }

  /** A node in block style, further in than `indent`; nothing at all is null. `list`: a list may stand as far in as `indent`. */
  private block(indent: number, { compact = false, list = false }: { compact?: boolean; list?: boolean }): YamlNode {
    const { cursor } = this;
    if (++this.depth > MAX_DEPTH) cursor.fail('too many levels');
    const before = this.count;
    let resume = cursor.at;
    let crossed = cursor.skipSpace();
    const missing = (): boolean => cursor.ended || cursor.atDocumentMark() || (crossed && cursor.column <= indent && !(list && cursor.column === indent && cursor.isMark('-')));
    const properties: Properties = { anchor: undefined, tag: undefined, at: cursor.at };
    let beside = false;
    while (!missing() && /[&!]/.test(cursor.char)) {
      this.property(properties);
      resume = cursor.at;
      beside = !cursor.skipSpace();
      crossed ||= !beside;
    }
    const none = missing();
    const node = none ? this.scalar('', null, resume) : this.blockContent(indent, crossed || compact, beside, properties.tag);
    // What follows an empty node is not its own: whoever has it looks at the indentation.
    if (none) cursor.at = resume;
    this.depth -= 1;
    return this.finish(node, properties, before);
  }

  private blockContent(indent: number, mayNest: boolean, beside: boolean, tag: string | undefined): YamlNode {
    const { cursor } = this;
    const { char, at, column } = cursor;
    if (char === '*') return this.alias();
    if (cursor.isMark('-')) {
      if (!mayNest || beside) cursor.fail('a list begins on a line of its own');
      return this.list(column);
    }
    if (char === '|' || char === '>') {
      const text = readBlock(cursor, indent);
      return this.scalar(text, text, at);
    }
    if (this.keyEnd() !== undefined) {
      if (!mayNest) cursor.fail('a key behind a value on the same line: put it on a line of its own, or the value between quotes');
      if (beside) cursor.fail('an anchor or a tag in front of a key: put it on the line before');
      return this.map(column);
    }
    if (char === '[' || char === '{') {
      this.outside = indent;
      const node = this.flow();
      cursor.skipBlanks();
      if (cursor.isMark(':')) cursor.fail('a key has to be a word');
      return node;
    }
    return this.flowScalar(indent, false, tag);
  }

  /** Where the colon of a key stands that begins here; undefined when none does on this line. */
  private keyEnd(): number | undefined {
    const { cursor } = this;
    const { at, char, text } = cursor;
    if (cursor.isMark('?')) cursor.fail('"? " begins a key that is more than a word: not supported');
    if (cursor.isMark(':')) cursor.fail('a key is missing in front of ":"');
    let end = at;
    if (char === '"' || char === "'") {
      readQuoted(cursor, -1);
      const quoted = text.slice(at, cursor.at);
      cursor.skipBlanks();
      end = cursor.at;
      cursor.at = at;
      if (quoted.includes('\n')) return undefined;
    } else if (!/[,[\]{}#&*!|>%@`]/.test(char)) {
      end = plainEnd(cursor, at, false);
      while (/[ \t]/.test(text.charAt(end))) end += 1;
    }
    return cursor.isMark(':', end) ? end : undefined;
  }

  private list(column: number): YamlNode {
    const { cursor } = this;
    const line = cursor.lineOf();
    const items: YamlNode[] = [];
    this.counted();
    while (!cursor.ended && cursor.column === column && cursor.isMark('-') && !cursor.atDocumentMark()) {
      cursor.at += 1;
      items.push(this.block(column, { compact: true }));
      this.expectLine(column);
    }
    return { kind: 'list', line, items };
  }

  private map(column: number): YamlMap {
    const { cursor } = this;
    const line = cursor.lineOf();
    const entries = new Map<string, YamlNode>();
    const merged: YamlNode[] = [];
    this.counted();
    while (!cursor.ended && cursor.column === column && !cursor.atDocumentMark() && !(cursor.isMark('-') && entries.size + merged.length > 0)) {
      const { at } = cursor;
      if (/[&!]/.test(cursor.char)) cursor.fail('an anchor or a tag in front of a key: put it on the line before');
      const colon = this.keyEnd() ?? cursor.fail('a key and ":" are missing here');
      const key = this.key(colon);
      cursor.at = colon + 1;
      this.entry(entries, merged, key, at, this.block(column, { list: true }));
      this.expectLine(column);
    }
    return this.merge(line, entries, merged);
  }

  /** `merge`: the key is << without quotes. */
  private key(end: number): { text: string; merge: boolean } {
    const { cursor } = this;
    const quoted = cursor.char === '"' || cursor.char === "'";
    const text = quoted ? readQuoted(cursor, -1) : cursor.text.slice(cursor.at, end).trimEnd();
    this.counted();
    return { text: quoted ? text : keyText(text), merge: !quoted && text === '<<' };
  }

  private entry(entries: Map<string, YamlNode>, merged: YamlNode[], { text, merge }: { text: string; merge: boolean }, at: number, value: YamlNode): void {
    if (merge) merged.push(...(value.kind === 'list' ? value.items : [value]));
    else if (entries.has(text)) this.cursor.fail(`the key ${text} is there twice`, at);
    else entries.set(text, value);
  }

  /** What << brings in: keys of the map itself come first, then those of the first map that has them. */
  private merge(line: number, entries: Map<string, YamlNode>, merged: readonly YamlNode[]): YamlMap {
    for (const node of merged) {
      if (node.kind !== 'map') this.cursor.fail('<< takes a mapping, or a list of them');
      for (const [key, value] of node.entries) if (!entries.has(key)) entries.set(key, value);
    }
    return { kind: 'map', line, entries };
  }

  /** Behind an entry: the next line, as far in as the others or less. */
  private expectLine(column: number): void {
    const { cursor } = this;
    if (!cursor.skipSpace() && !cursor.ended) cursor.fail(this.leftOver());
    if (!cursor.ended && cursor.column > column) cursor.fail('this line is further in than the ones it belongs to');
  }

  private alias(): YamlNode {
    const { cursor } = this;
    const { at } = cursor;
    const name = this.name('*');
    const anchor = this.anchors.get(name) ?? cursor.fail(`there is no anchor &${name} before`, at);
    this.counted(anchor.size);
    cursor.skipBlanks();
    if (cursor.isMark(':')) cursor.fail('an alias as a key: not supported', at);
    return anchor.node;
  }

  private name(mark: string): string {
    const { cursor } = this;
    const name = /^[^\s,[\]{}]+/.exec(cursor.text.slice(cursor.at + 1, cursor.at + 200))?.[0] ?? cursor.fail(`a name is missing behind ${mark}`);
    cursor.at += 1 + name.length;
    return name;
  }

  private property(properties: Properties): void {
    const { cursor } = this;
    const { at } = cursor;
    if (cursor.char === '&') {
      if (properties.anchor !== undefined) cursor.fail('two anchors of one value');
      properties.anchor = this.name('&');
    } else {
      if (properties.tag !== undefined) cursor.fail('two tags of one value');
      const tag = /^!\S*/.exec(cursor.text.slice(at, at + 200))?.[0] ?? '';
      if (!/^!(?:!(?:str|int|float|bool|null|map|seq))?$/.test(tag)) cursor.fail(`the tag ${tag}: not supported`);
      cursor.at += tag.length;
      properties.tag = tag;
    }
    if (!cursor.ended && !/[ \t\n,\]}]/.test(cursor.char)) cursor.fail(this.leftOver());
  }

  private finish(node: YamlNode, { anchor, tag, at }: Properties, before: number): YamlNode {
    const typed = node.kind === 'scalar' && (tag === '!' || tag === '!!str') ? { ...node, value: node.text } : node;
    const plain = { '!!map': 'map', '!!seq': 'list' }[tag ?? ''];
    if (tag !== undefined && (plain ?? 'scalar') !== node.kind) this.cursor.fail(`${tag} is no tag for this`, at);
    if (anchor !== undefined) this.anchors.set(anchor, { node: typed, size: this.count - before });
    return typed;
  }

  private flowScalar(indent: number, inFlow: boolean, tag?: string): YamlScalar {
    const { cursor } = this;
    const { at, char } = cursor;
    if (char === '"' || char === "'") {
      const text = readQuoted(cursor, indent);
      return this.scalar(text, text, at);
    }
    const text = readPlain(cursor, indent, inFlow);
    const value = meaning(text);
    if (tag !== undefined && tag.startsWith('!!') && tag !== '!!str') this.fits(tag, value, at);
    return this.scalar(text, value, at);
  }

  private fits(tag: string, value: YamlScalar['value'], at: number): void {
    const kind = { '!!null': 'object', '!!bool': 'boolean', '!!int': 'number', '!!float': 'number' }[tag];
    if (typeof value !== kind || (tag === '!!int' && !Number.isInteger(value))) this.cursor.fail(`this is no ${tag.slice(2)}`, at);
  }

  /** A node within [ ] or { }, or one of these. */
  private flow(): YamlNode {
    const { cursor } = this;
    if (++this.depth > MAX_DEPTH) cursor.fail('too many levels');
    const before = this.count;
    const properties: Properties = { anchor: undefined, tag: undefined, at: cursor.at };
    for (; /[&!]/.test(cursor.char); cursor.skipSpace()) this.property(properties);
    const { char, at } = cursor;
    const node = char === '*' ? this.alias() : char === '[' ? this.flowList() : char === '{' ? this.flowMap() : /^[,\]}]?$/.test(char) ? this.scalar('', null, at) : this.flowScalar(this.outside, true, properties.tag);
    this.depth -= 1;
    return this.finish(node, properties, before);
  }

  private flowList(): YamlNode {
    const { cursor } = this;
    const { at } = cursor;
    const items: YamlNode[] = [];
    this.counted();
    for (cursor.at += 1; !this.closes(']', at); this.comma(']', at)) {
      const start = cursor.at;
      const node = this.flow();
      cursor.skipSpace();
      if (!this.atFlowColon(start)) {
        items.push(node);
        continue;
      }
      const entries = new Map<string, YamlNode>();
      const merged: YamlNode[] = [];
      this.entry(entries, merged, this.flowKey(node, start), start, this.flowValue());
      this.counted();
      items.push(this.merge(cursor.lineOf(start), entries, merged));
    }
    return { kind: 'list', line: cursor.lineOf(at), items };
  }

  private flowMap(): YamlNode {
    const { cursor } = this;
    const { at } = cursor;
    const entries = new Map<string, YamlNode>();
    const merged: YamlNode[] = [];
    this.counted();
    for (cursor.at += 1; !this.closes('}', at); this.comma('}', at)) {
      const start = cursor.at;
      const key = this.flowKey(this.flow(), start);
      cursor.skipSpace();
      this.entry(entries, merged, key, start, this.atFlowColon(start) ? this.flowValue() : this.scalar('', null, cursor.at));
    }
    return this.merge(cursor.lineOf(at), entries, merged);
  }

  private atFlowColon(start: number): boolean {
    const { cursor } = this;
    // A key between quotes needs no blank behind its colon.
    return cursor.char === ':' && (cursor.isMark(':') || /[,[\]{}]/.test(cursor.text.charAt(cursor.at + 1)) || /["']/.test(cursor.text.charAt(start)));
  }

  private flowKey(node: YamlNode, at: number): { text: string; merge: boolean } {
    if (node.kind !== 'scalar') this.cursor.fail('a key has to be a word', at);
    const quoted = /["']/.test(this.cursor.text.charAt(at));
    return { text: quoted ? node.text : keyText(node.text), merge: !quoted && node.text === '<<' };
  }

  private flowValue(): YamlNode {
    this.cursor.at += 1;
    this.cursor.skipSpace();
    return this.flow();
  }

  private closes(bracket: string, from: number): boolean {
    const { cursor } = this;
    cursor.skipSpace();
    if (cursor.ended || cursor.atDocumentMark()) cursor.fail(`${cursor.text.charAt(from)} is not closed`, from);
    if (cursor.char === ',') cursor.fail('a value is missing in front of ","');
    if (cursor.char !== bracket) return false;
    cursor.at += 1;
    return true;
  }

  private comma(bracket: string, from: number): void {
    const { cursor } = this;
    cursor.skipSpace();
    if (cursor.ended) cursor.fail(`${cursor.text.charAt(from)} is not closed`, from);
    if (cursor.char === ',') cursor.at += 1;
    else if (cursor.char !== bracket) cursor.fail(`"," or "${bracket}" is missing in front of this`);
  }
}

/** Keys are texts: what they mean, written the usual way. */
function keyText(text: string): string {
  const value = meaning(text);
  return value === null ? '' : typeof value === 'number' ? String(value) : text;
}
