/** A place of a document, counted from 1: where it begins. */
interface Placed {
  readonly line: number;
}

/** A value as it is written (`text`: without quotes and escapes) and what it means in YAML 1.2. */
export interface YamlScalar extends Placed {
  readonly kind: 'scalar';
  readonly text: string;
  readonly value: string | number | boolean | null;
}

export interface YamlMap extends Placed {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, YamlNode>;
}

export interface YamlList extends Placed {
  readonly kind: 'list';
  readonly items: readonly YamlNode[];
}

export type YamlNode = YamlScalar | YamlMap | YamlList;

export class YamlError extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}
