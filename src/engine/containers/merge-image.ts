import { EngineError } from '../error.ts';
import type { ImageRunConfig } from '../images/index.ts';
import type { ContainerConfig } from './config.ts';
import { mergeHealthcheck } from './health.ts';

/** The container's configuration over the image's, by Docker's rules. */
export function mergeImage(config: ContainerConfig, image: ImageRunConfig): ContainerConfig {
  const ownEntrypoint = config.Entrypoint !== null && config.Entrypoint.length > 0;
  // An entrypoint of the user's own hides the image's command; an explicit empty one ([""]) clears the image's entrypoint.
  const cleared = config.Entrypoint?.length === 1 && config.Entrypoint[0] === '';
  const names = new Set(config.Env.map(variableName));
  const merged: ContainerConfig = {
    ...config,
    User: config.User === '' ? (image.User ?? '') : config.User,
    Env: [...config.Env, ...(image.Env ?? []).filter((variable) => !names.has(variableName(variable)))],
    Entrypoint: cleared ? null : ownEntrypoint ? config.Entrypoint : (image.Entrypoint ?? null),
    Cmd: config.Cmd !== null && config.Cmd.length > 0 ? config.Cmd : ownEntrypoint ? config.Cmd : (image.Cmd ?? null),
    WorkingDir: config.WorkingDir === '' ? (image.WorkingDir ?? '') : config.WorkingDir,
    Labels: { ...image.Labels, ...config.Labels },
    Volumes: config.Volumes === null && Object.keys(image.Volumes ?? {}).length === 0 ? null : { ...emptyObjects(image.Volumes), ...config.Volumes },
  };
  const exposed = { ...emptyObjects(image.ExposedPorts), ...config.ExposedPorts };
  if (Object.keys(exposed).length > 0) merged.ExposedPorts = exposed;
  if (merged.StopSignal === undefined && image.StopSignal !== undefined && image.StopSignal !== '') merged.StopSignal = image.StopSignal;
  const healthcheck = mergeHealthcheck(config.Healthcheck, image.Healthcheck);
  if (healthcheck !== undefined) merged.Healthcheck = healthcheck;
  if (merged.Shell === undefined && image.Shell != null) merged.Shell = image.Shell;
  return merged;
}

/** Program and arguments. Throws 'invalid' when there is nothing to run. */
export function commandLine(config: ContainerConfig): string[] {
  const argv = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (argv.length === 0) throw new EngineError('invalid', 'NO_COMMAND', 'no command specified');
  return argv;
}

function variableName(variable: string): string {
  const equals = variable.indexOf('=');
  return equals < 0 ? variable : variable.slice(0, equals);
}

function emptyObjects(map: Record<string, unknown> | null | undefined): Record<string, object> {
  return Object.fromEntries(Object.keys(map ?? {}).map((key) => [key, {}]));
}
