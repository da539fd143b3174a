import { resolve } from 'node:path';

import { findProject, loadProject, type Project } from '../config/index.ts';
import type { Invocation } from './command.ts';

/** The project that a command works on: -C, else the nearest above the current folder, else the program's own. */
export async function openProject({ flags, cwd, home }: Invocation): Promise<Project> {
  const asked = flags.text('project');
  const folder = asked !== undefined ? resolve(cwd, asked) : (await findProject(cwd)) ?? home;
  return loadProject(folder, home);
}
