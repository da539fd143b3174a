import type { Command, Node, Operand, Pipe, Template } from './template-ast.ts';
import { TemplateError } from './template-error.ts';
import { lexTemplate, type Token } from './template-lexer.ts';
import { unquoteGo } from './unquote.ts';

function fail(message: string): never {
  throw new TemplateError(`template: :1: ${message}`);
}

/** Parses a template; `functions` are the names that may be called. */
export function parseTemplate(source: string, functions: ReadonlySet<string>): Template {
  const tokens = lexTemplate(source);
  const named = new Map<string, readonly Node[]>();
  let at = 0;
  let variables = ['$'];
  let loopDepth = 0;

  const peek = (): Token => tokens[at] ?? { kind: 'end-of-input', text: '' };
  const next = (): Token => {
    const token = peek();
    at++;
    return token;
  };
  const isSymbol = (token: Token, text: string) => token.kind === 'symbol' && token.text === text;

  function expectClose(context: string): void {
    const token = next();
    if (token.kind !== 'close') fail(`unexpected <${token.text}> in ${context}`);
  }

  function parseList(terminators: readonly string[]): { nodes: Node[]; terminator: string } {
    const nodes: Node[] = [];
    for (;;) {
      const token = next();
      if (token.kind === 'end-of-input') {
        if (terminators.length > 0) fail('unexpected EOF');
        return { nodes, terminator: '' };
      }
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text });
        continue;
      }
      const word = peek();
      const keyword = word.kind === 'word' ? word.text : '';
      if (keyword === 'end' || keyword === 'else') {
        if (!terminators.includes(keyword)) fail(`unexpected {{${keyword}}}`);
        at++;
        if (keyword === 'end') expectClose('end');
        return { nodes, terminator: keyword };
      }
      const node = parseAction(keyword);
      if (node) nodes.push(node);
    }
  }

  function parseAction(keyword: string): Node | null {
    switch (keyword) {
      case 'if': case 'with': case 'range':
        at++;
        return parseBranch(keyword);
      case 'break': case 'continue':
        at++;
        if (loopDepth === 0) fail(`{{${keyword}}} outside {{range}}`);
        expectClose(keyword);
        return { kind: keyword };
      case 'define': case 'block': {
        at++;
        const name = parseName(keyword);
        const pipe = keyword === 'block' ? parsePipe(keyword) : null;
        expectClose(keyword);
        const outer = variables;
        variables = ['$'];
        named.set(name, parseList(['end']).nodes);
        variables = outer;
        return pipe ? { kind: 'template', name, pipe } : null;
      }
      case 'template': {
        at++;
        const name = parseName(keyword);
        const pipe = peek().kind === 'close' ? null : parsePipe(keyword);
        expectClose(keyword);
        return { kind: 'template', name, pipe };
      }
      default: {
        const pipe = parsePipe('command');
        expectClose('command');
        return { kind: 'action', pipe };
      }
    }
  }

  function parseName(context: string): string {
    const token = next();
    if (token.kind !== 'string') fail(`unexpected <${token.text}> in ${context} clause`);
    return unquoteGo(token.text);
  }

  function parseBranch(kind: 'if' | 'with' | 'range'): Node {
    const scope = [...variables];
    const pipe = parsePipe(kind);
    expectClose(kind);
    if (kind === 'range') loopDepth++;
    const body = parseList(['else', 'end']);
    if (kind === 'range') loopDepth--;
    let otherwise: readonly Node[] = [];
    if (body.terminator === 'else') {
      const word = peek();
      if (kind !== 'range' && word.kind === 'word' && word.text === kind) {
        at++;
        otherwise = [parseBranch(kind)];
      } else {
        expectClose('else');
        otherwise = parseList(['end']).nodes;
      }
    }
    variables = scope;
    return { kind, pipe, body: body.nodes, otherwise };
  }

  function parsePipe(context: string): Pipe {
    const { declares, assigns } = parseDeclaration(context);
    const commands: Command[] = [];
    for (;;) {
      commands.push(parseCommand(context));
      if (!isSymbol(peek(), '|')) break;
      at++;
    }
    for (const command of commands.slice(1)) {
      const first = command.operands[0];
      if (first && ['constant', 'dot', 'nil'].includes(first.kind)) fail(`non executable command in pipeline stage 2`);
    }
    if (!assigns) variables.push(...declares);
    return { declares, assigns, commands };
  }

  function parseDeclaration(context: string): { declares: string[]; assigns: boolean } {
    const start = at;
    const first = peek();
    if (first.kind !== 'variable') return { declares: [], assigns: false };
    at++;
    const declares = [first.text];
    if (context === 'range' && isSymbol(peek(), ',')) {
      at++;
      const second = next();
      if (second.kind !== 'variable') fail('range can only initialize variables');
      declares.push(second.text);
    }
    const operator = peek();
    if (isSymbol(operator, ':=') || isSymbol(operator, '=')) {
      at++;
      if (operator.text === '=') for (const name of declares) checkVariable(name);
      return { declares, assigns: operator.text === '=' };
    }
    at = start;
    return { declares: [], assigns: false };
  }

  function checkVariable(name: string): void {
    if (!variables.includes(name)) fail(`undefined variable "${name}"`);
  }

  function parseCommand(context: string): Command {
    const operands: Operand[] = [];
    for (;;) {
      const token = peek();
      if (token.kind === 'close' || isSymbol(token, '|') || isSymbol(token, ')')) break;
      operands.push(parseOperand(context));
    }
    if (operands.length === 0) fail(`missing value for ${context}`);
    return { operands };
  }

  function parsePath(): string[] {
    const path: string[] = [];
    for (let token = peek(); token.kind === 'field' && !token.spaced; token = peek()) {
      path.push(token.text.slice(1));
      at++;
    }
    return path;
  }

  function parseOperand(context: string): Operand {
    const token = next();
    const source = token.text;
    switch (token.kind) {
      case 'field': {
        const path = [source.slice(1), ...parsePath()];
        return { kind: 'field', path, source: `.${path.join('.')}`, position: token.position };
      }
      case 'variable': {
        checkVariable(source);
        const path = parsePath();
        return { kind: 'variable', name: source, path, source: [source, ...path].join('.'), position: token.position };
      }
      case 'string':
        return { kind: 'constant', value: unquoteGo(source), source };
      case 'character':
        return { kind: 'constant', value: unquoteGo(source).codePointAt(0) ?? 0, source };
      case 'number': {
        const value = Number(source.replaceAll('_', ''));
        if (Number.isNaN(value)) fail(`bad number syntax: "${source}"`);
        return { kind: 'constant', value, source };
      }
      case 'word':
        if (source === 'true' || source === 'false') return { kind: 'constant', value: source === 'true', source };
        if (source === 'nil') return { kind: 'nil', source };
        if (!functions.has(source)) fail(`function "${source}" not defined`);
        return { kind: 'function', name: source, source };
      case 'symbol':
        if (source === '.') return { kind: 'dot', source };
        if (source === '(') {
          const pipe = parsePipe('parenthesized pipeline');
          if (!isSymbol(peek(), ')')) fail('unclosed left paren');
          at++;
          return { kind: 'pipe', pipe, path: parsePath(), source: '(…)' };
        }
    }
    fail(`unexpected <${source}> in ${context}`);
  }

  return { root: parseList([]).nodes, named };
}
