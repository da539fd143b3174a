import type { Command } from '../command.ts';
import { cache } from './cache.ts';
import { ci } from './ci.ts';
import { config } from './config.ts';
import { cve } from './cve.ts';
import { delta } from './delta.ts';
import { doctor } from './doctor.ts';
import { engine } from './engine.ts';
import { flash } from './flash.ts';
import { graph } from './graph.ts';
import { image } from './image.ts';
import { init } from './init.ts';
import { key } from './key.ts';
import { lock } from './lock.ts';
import { machines } from './machines.ts';
import { newMachine } from './new-machine.ts';
import { publish } from './publish.ts';
import { recipes } from './recipes.ts';
import { runCommand } from './run.ts';
import { sbom } from './sbom.ts';
import { size } from './size.ts';
import { sstate } from './sstate.ts';
import { test } from './test.ts';
import { tools } from './tools.ts';
import { why } from './why.ts';
import { yocto } from './yocto.ts';

/** In the order in which help shows them. */
export const commands: Command[] = [image, config, flash, test, runCommand, machines, recipes, size, sbom, cve, init, newMachine, key, lock, publish, engine, delta, graph, why, tools, cache, yocto, sstate, ci, doctor];
