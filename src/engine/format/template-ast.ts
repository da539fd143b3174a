/** What a template is parsed into. Positions are offsets in the source, for error messages. */
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | { readonly kind: 'if'; readonly pipe: Pipe; readonly body: readonly Node[]; readonly otherwise: readonly Node[] }
  | { readonly kind: 'with'; readonly pipe: Pipe; readonly body: readonly Node[]; readonly otherwise: readonly Node[] }
  | { readonly kind: 'range'; readonly pipe: Pipe; readonly body: readonly Node[]; readonly otherwise: readonly Node[] }
  | { readonly kind: 'template'; readonly name: string; readonly pipe: Pipe | null }
  | { readonly kind: 'break' }
  | { readonly kind: 'continue' };

export interface Pipe {
  readonly declares: readonly string[];
  /** True for `$x = …`, which changes a variable that exists already. */
  readonly assigns: boolean;
  readonly commands: readonly Command[];
}

/** An operand followed by its arguments: `printf "%s" .Name`. */
export interface Command {
  readonly operands: readonly Operand[];
}

export type Operand =
  | { readonly kind: 'constant'; readonly value: unknown; readonly source: string }
  | { readonly kind: 'dot'; readonly source: string }
  | { readonly kind: 'nil'; readonly source: string }
  | { readonly kind: 'field'; readonly path: readonly string[]; readonly source: string; readonly position: string }
  | { readonly kind: 'variable'; readonly name: string; readonly path: readonly string[]; readonly source: string; readonly position: string }
  | { readonly kind: 'function'; readonly name: string; readonly source: string }
  | { readonly kind: 'pipe'; readonly pipe: Pipe; readonly path: readonly string[]; readonly source: string };

export interface Template {
  readonly root: readonly Node[];
  readonly named: ReadonlyMap<string, readonly Node[]>;
}
