// Purpose: reads projects: build.config.yaml, machines, recipes, with their bases; checks them; says where a fault is.
// Owns: the JSON Schemas and the types generated from them (in src/model/schema).
// Must not: read the environment, or know how anything is built.
export { deriveMachine, type NewMachine } from './derive-machine.ts';
export { findMachine, findProject, loadProject, mergeBuild, resolveRecipes, type Project } from './project.ts';
export { scanSources } from './sources.ts';
export { nearest } from './suggest.ts';
export { violations, type SchemaName, type Violation } from './validate.ts';
export { parseYaml, readYaml } from './yaml.ts';
