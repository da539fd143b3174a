import type { Field } from './field.ts';
import type { Resource } from './project.ts';

/** What a compose file does not say itself. */
export interface Surroundings {
  /** The compose file. */
  readonly file: string;
  /** Where its relative paths start. */
  readonly folder: string;
  /** Where contents go that stand in the file itself. */
  readonly contents: string;
  /** Text of a file; undefined when there is none. Throws for one that cannot be read. */
  readText(path: string): string | undefined;
  /** SHA-256 of a file; undefined when there is none. */
  hashFile(path: string): string | undefined;
  hash(text: string): string;
}

/** A file that services find somewhere: a config or a secret. */
export interface SharedFile {
  readonly path: string;
  readonly hash: string;
}

/** What services refer to by name. */
export interface ReadContext {
  readonly surroundings: Surroundings;
  readonly projectName: string;
  readonly serviceNames: ReadonlySet<string>;
  readonly networks: ReadonlyMap<string, Resource>;
  readonly volumes: ReadonlyMap<string, Resource>;
  readonly configs: ReadonlyMap<string, SharedFile>;
  readonly secrets: ReadonlyMap<string, SharedFile>;
  /** Variables that services may take by name. */
  variable(name: string): string | undefined;
}

export function isPath(text: string): boolean {
  return /^(?:\.{1,2}(?:\/|$)|\/|~)/.test(text);
}

/** An absolute path of one that may start from the file's folder. */
export function pathOf(field: Field, text: string, folder: string): string | undefined {
  if (text.startsWith('~')) return field.fail('a path cannot begin with ~: there is no home here');
  const parts: string[] = [];
  for (const part of (text.startsWith('/') ? text : `${folder}/${text}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}
