import { readFile } from 'node:fs/promises';

import { OsbuildError } from '../model/index.ts';

/** A board that is known by name and has no machine file, because its parts cannot be had: `why` is the evidence, `way` what would change it. */
export interface NotYet {
  name: string;
  description: string;
  arch: string;
  why: string;
  way: string;
}

/** Reads machines/not-yet.json of a project; none when there is no such file. */
export async function readNotYet(file: string): Promise<NotYet[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const invalid = (what: string, cause?: unknown): OsbuildError => new OsbuildError('OSB_CONFIG_INVALID', `${file}: ${what}`, { cause });
  let boards: unknown;
  try {
    boards = JSON.parse(text);
  } catch (cause) {
    throw invalid('is not JSON', cause);
  }
  const keys = ['name', 'description', 'arch', 'why', 'way'] as const;
  if (!Array.isArray(boards)) throw invalid('must be a list');
  return boards.map((board: Record<string, unknown>, index) => {
    const wrong = keys.find((key) => typeof board?.[key] !== 'string');
    if (wrong !== undefined) throw invalid(`entry ${index + 1}: ${wrong} must be a text`);
    return Object.fromEntries(keys.map((key) => [key, board[key]])) as unknown as NotYet;
  });
}
