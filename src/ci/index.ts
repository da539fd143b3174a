// Purpose: writes pipelines for CI services that build a fleet of machines, one job each.
// Owns: the formats of GitHub Actions and GitLab CI.
// Must not: build anything, or read the environment.
export type { FleetPipeline } from './fleet.ts';
export { githubWorkflow } from './github.ts';
export { gitlabPipeline } from './gitlab.ts';
