// Purpose: applications of a device: a compose file, read as Docker Compose reads it, and kept in force in the engine.
// Owns: the file's syntax and meaning, the plan from what there is to what has to be there, the keeper that carries it out.
// Must not: talk to the engine but through ComposeEngine, or be needed by it.
export type { ComposeEngine, ContainerEvent } from './engine.ts';
export { containerRequest } from './container-request.ts';
export { keepApplications, type KeeperPorts } from './keeper.ts';
export { LABEL } from './labels.ts';
export type { Observed, SeenContainer } from './observed.ts';
export { devicePlaces, findComposeFile, MAX_FILE_BYTES, type Places } from './places.ts';
export { ownContainers, type Executors } from './plan.ts';
export type { Project, RestartPolicy, Service } from './project.ts';
export { ComposeError, readProject } from './read-project.ts';
export { REQUEST_VERBS, writeRequest, type Request } from './requests.ts';
export { fileSurroundings } from './source.ts';
export type { ApplicationsStatus } from './status.ts';
