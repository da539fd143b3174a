import type { Command, Node, Operand, Pipe, Template } from './template-ast.ts';
import { TemplateError } from './template-error.ts';
import type { TemplateFunction } from './template-functions.ts';
import { isEmpty, isMap, printResult, sortedKeys } from './template-values.ts';

export interface RenderOptions {
  /** Names of fields that hold maps: a missing key below them is no mistake, null prints as `map[]`. */
  readonly mapFields?: ReadonlySet<string>;
  /** Names of fields that hold lists: null prints as `[]`. */
  readonly listFields?: ReadonlySet<string>;
}

interface Frame {
  readonly dot: unknown;
  readonly variables: Array<[string, unknown]>;
}

class Jump extends Error {
  readonly to: 'break' | 'continue';
  readonly written: string;
  constructor(to: 'break' | 'continue', written: string) {
    super(to);
    this.to = to;
    this.written = written;
  }
}

/** What an error message points at. */
interface Place {
  readonly source: string;
  readonly position?: string;
}

const maximumDepth = 100;

/** Runs a parsed template on `data`. Objects are structs and maps, functions in them are methods. */
export function renderTemplate(
  template: Template, data: unknown, functions: Readonly<Record<string, TemplateFunction>>, options: RenderOptions = {},
): string {
  const tolerant = new WeakSet<object>();
  let depth = 0;

  function renderList(nodes: readonly Node[], frame: Frame): string {
    const scope = frame.variables.length;
    let out = '';
    for (const node of nodes) {
      try {
        out += renderNode(node, frame);
      } catch (error) {
        if (error instanceof Jump) throw new Jump(error.to, out + error.written);
        throw error;
      }
    }
    frame.variables.length = scope;
    return out;
  }

  function renderNode(node: Node, frame: Frame): string {
    switch (node.kind) {
      case 'text': return node.text;
      case 'break': case 'continue': throw new Jump(node.kind, '');
      case 'action': {
        const value = evaluatePipe(node.pipe, frame);
        return node.pipe.declares.length > 0 ? '' : printResult(value);
      }
      case 'template': {
        const named = template.named.get(node.name);
        if (!named) throw new TemplateError(`template: :1: template "${node.name}" not defined`);
        if (++depth > maximumDepth) throw new TemplateError(`template: :1: exceeded maximum template depth (${maximumDepth})`);
        const dot = node.pipe ? evaluatePipe(node.pipe, frame) : undefined;
        const out = renderList(named, { dot, variables: [['$', dot]] });
        depth--;
        return out;
      }
      case 'if': case 'with': {
        const scope = frame.variables.length;
        const value = evaluatePipe(node.pipe, frame);
        const inner = node.kind === 'with' && !isEmpty(value) ? { dot: value, variables: frame.variables } : frame;
        const out = renderList(isEmpty(value) ? node.otherwise : node.body, inner);
        frame.variables.length = scope;
        return out;
      }
      case 'range': return renderRange(node, frame);
    }
  }

  function renderRange(node: Extract<Node, { kind: 'range' }>, frame: Frame): string {
    const scope = frame.variables.length;
    const value = evaluatePipe({ ...node.pipe, declares: [] }, frame);
    const entries = rangeEntries(value);
    if (entries.length === 0) return renderList(node.otherwise, frame);
    let out = '';
    for (const [key, item] of entries) {
      const [first, second] = node.pipe.declares;
      if (second !== undefined && first !== undefined) frame.variables.push([first, key], [second, item]);
      else if (first !== undefined) frame.variables.push([first, item]);
      try {
        out += renderList(node.body, { dot: item, variables: frame.variables });
      } catch (error) {
        if (!(error instanceof Jump)) throw error;
        out += error.written;
        if (error.to === 'break') break;
      } finally {
        frame.variables.length = scope;
      }
    }
    return out;
  }

  function evaluatePipe(pipe: Pipe, frame: Frame): unknown {
    let value: unknown;
    pipe.commands.forEach((command, at) => {
      value = evaluateCommand(command, frame, at === 0 ? [] : [value]);
    });
    for (const name of pipe.declares) {
      if (!pipe.assigns) frame.variables.push([name, value]);
      else {
        const slot = frame.variables.findLast(([known]) => known === name);
        if (slot) slot[1] = value;
      }
    }
    return value;
  }

  function evaluateCommand(command: Command, frame: Frame, piped: readonly unknown[]): unknown {
    const [head, ...rest] = command.operands;
    if (!head) return undefined;
    const values = () => [...rest.map((operand) => evaluateOperand(operand, frame)), ...piped];
    if (head.kind === 'function') return callFunction(head.name, rest, frame, piped);
    if (head.kind === 'field') return walk(frame.dot, head.path, head, values());
    if (head.kind === 'variable') return walk(variable(head.name, frame), head.path, head, values());
    if (rest.length + piped.length > 0) throw new TemplateError(`template: :1: can't give argument to non-function ${head.source}`);
    return evaluateOperand(head, frame);
  }

  function callFunction(name: string, operands: readonly Operand[], frame: Frame, piped: readonly unknown[]): unknown {
    if (name === 'and' || name === 'or') {
      let value: unknown;
      for (const next of [...operands.map((operand) => () => evaluateOperand(operand, frame)), ...piped.map((given) => () => given)]) {
        value = next();
        if (isEmpty(value) === (name === 'and')) return value;
      }
      return value;
    }
    const args = [...operands.map((operand) => evaluateOperand(operand, frame)), ...piped];
    const callable = functions[name];
    if (!callable) throw new TemplateError(`template: :1: function "${name}" is not supported here`);
    try {
      const result: unknown = callable(...args);
      if (name === 'index' && isMap(result)) tolerant.add(result);
      return result;
    } catch (error) {
      if (!(error instanceof TemplateError) || error.message.startsWith('template:')) throw error;
      throw new TemplateError(`template: :1: executing "" at <${name}>: error calling ${name}: ${error.message}`);
    }
  }

  function evaluateOperand(operand: Operand, frame: Frame): unknown {
    switch (operand.kind) {
      case 'constant': return operand.value;
      case 'nil': return null;
      case 'dot': return frame.dot;
      case 'field': return walk(frame.dot, operand.path, operand, []);
      case 'variable': return walk(variable(operand.name, frame), operand.path, operand, []);
      case 'function': return callFunction(operand.name, [], frame, []);
      case 'pipe': {
        const scope = frame.variables.length;
        const value = evaluatePipe(operand.pipe, frame);
        frame.variables.length = scope;
        return walk(value, operand.path, operand, []);
      }
    }
  }

  function variable(name: string, frame: Frame): unknown {
    return frame.variables.findLast(([known]) => known === name)?.[1];
  }

  function walk(from: unknown, path: readonly string[], place: Place, args: readonly unknown[]): unknown {
    let current = from;
    path.forEach((name, at) => {
      current = member(current, name, place, at === path.length - 1 ? args : []);
    });
    if (path.length === 0 && args.length > 0) throw new TemplateError(`template: :1: can't give argument to non-function ${place.source}`);
    return current;
  }

  function member(from: unknown, name: string, place: Place, args: readonly unknown[]): unknown {
    const at = `template: :${place.position ?? 1}: executing "" at <${place.source}>: `;
    if (from === null || from === undefined) throw new TemplateError(`${at}nil data; no entry for key "${name}"`);
    if (!isMap(from)) throw new TemplateError(`${at}can't evaluate field ${name} in type ${Array.isArray(from) ? 'list' : typeof from}`);
    const key = findKey(from, name);
    if (key === undefined) {
      if (tolerant.has(from)) return undefined;
      throw new TemplateError(`${at}map has no entry for key "${name}"`);
    }
    const value = from[key];
    if (typeof value === 'function') {
      if (args.length !== value.length) throw new TemplateError(`${at}wrong number of args for ${name}: want ${value.length} got ${args.length}`);
      return value(...args);
    }
    if (args.length > 0) throw new TemplateError(`${at}${name} has arguments but cannot be invoked as function`);
    if (value === null && options.mapFields?.has(key)) return {};
    if (value === null && options.listFields?.has(key)) return [];
    if (isMap(value) && options.mapFields?.has(key)) tolerant.add(value);
    return value;
  }

  return renderList(template.root, { dot: data, variables: [['$', data]] });
}

function findKey(map: Readonly<Record<string, unknown>>, name: string): string | undefined {
  if (Object.hasOwn(map, name)) return name;
  // Go's field names differ from the JSON keys in case alone (ID and Id, DNS and Dns).
  const lower = name.toLowerCase();
  const near = Object.keys(map).filter((key) => key.toLowerCase() === lower);
  return near.length === 1 && /^[A-Z]/.test(name) ? near[0] : undefined;
}

function rangeEntries(value: unknown): Array<[unknown, unknown]> {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.map((item: unknown, at) => [at, item]);
  if (typeof value === 'number' && Number.isInteger(value)) return Array.from({ length: value }, (_, at) => [at, at]);
  if (isMap(value)) return sortedKeys(value).map((key) => [key, value[key]]);
  throw new TemplateError(`template: :1: range can't iterate over ${String(value)}`);
}
