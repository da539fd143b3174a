import type { ContainerBase } from '../containers/index.ts';
import type { ImageHistory, ImageRunConfig, Platform } from '../images/index.ts';

/** A stage between two instructions: the image so far, and what the Dockerfile has said. */
export interface StageState {
  /** '' while nothing has been made of `scratch`. */
  imageId: string;
  diffIds: readonly string[];
  config: ImageRunConfig;
  history: readonly ImageHistory[];
  platform: Platform;
  author: string;
  /** Declared in this stage; those without a value are left out. */
  args: ReadonlyMap<string, string>;
  /** CMD has been given in this Dockerfile. */
  ownCommand: boolean;
}

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const DEFAULT_SHELL = ['/bin/sh', '-c'];

export function scratchState(platform: Platform): StageState {
  return withPath({ imageId: '', diffIds: [], config: {}, history: [], platform, author: '', args: new Map(), ownCommand: false });
}

/** As Docker: whoever builds on an image that has no PATH gets the usual one. */
export function withPath(state: StageState): StageState {
  const env = state.config.Env ?? [];
  if (env.some((variable) => variable.startsWith('PATH='))) return state;
  return { ...state, config: { ...state.config, Env: [...env, `PATH=${DEFAULT_PATH}`] } };
}

export function shellOf({ config }: StageState): string[] {
  return config.Shell != null && config.Shell.length > 0 ? config.Shell : DEFAULT_SHELL;
}

/** ENV hides ARG. */
export function lookUp({ config, args }: StageState): (name: string) => string | undefined {
  const env = environmentMap(config.Env ?? []);
  return (name) => env.get(name) ?? args.get(name);
}

export function environmentMap(env: readonly string[]): Map<string, string> {
  return new Map(
    env.map((variable) => {
      const equals = variable.indexOf('=');
      return equals < 0 ? [variable, ''] : [variable.slice(0, equals), variable.slice(equals + 1)];
    }),
  );
}

/** What containers of a step stand on. */
export function stateBase({ imageId, diffIds, config }: StageState, change: Partial<ImageRunConfig>): ContainerBase {
  return { id: imageId, diffIds, config: { ...config, ...change } };
}
