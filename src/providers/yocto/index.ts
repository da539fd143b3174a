// Purpose: builds root filesystems, kernels and boot loaders from source, with bitbake over layers at exact commits.
// Owns: layer sources, bblayers.conf and local.conf, kas files, running bitbake and what it leaves in its deploy folder, and its servers for a team.
// Must not: know other providers or images; change layers, or run as root what bitbake runs.
export { kasProject } from './conf/kas.ts';
export { importKas, type KasImport } from './conf/kas-import.ts';
export { localConf } from './conf/local.ts';
export { sharedStateWarnings, type SharedStateWarning } from './conf/shared-state.ts';
export { createYoctoExecutors } from './executors.ts';
export type { YoctoInspection } from './inspect.ts';
export { resolveLayers, resolveSource, type ResolvedLayer, type YoctoProject } from './layers/resolve.ts';
export { buildTargets, ownLayer, planSource, planYoctoInspection, planYoctoRoot, yoctoMachine, type YoctoPlanOptions } from './plan.ts';
export type { YoctoPorts } from './ports.ts';
export { startTeamServers, type TeamServers, type TeamServersOptions } from './servers/team.ts';
export { lacks, preflight } from './preflight.ts';
