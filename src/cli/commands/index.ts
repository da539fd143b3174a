import type { Command } from '../command.ts';
import { cache } from './cache.ts';
import { machines } from './machines.ts';
import { recipes } from './recipes.ts';

export const commands: Command[] = [machines, recipes, cache];
