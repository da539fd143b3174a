import { dockerfileError, expandWord, type CommandForm, type Instruction } from './dockerfile/index.ts';
import type { ImageRunConfig } from '../images/index.ts';
import { environmentMap, lookUp, shellOf, type StageState } from './stage-state.ts';

/** Instructions that change nothing but the configuration. */
export type ConfigInstruction = Exclude<Instruction, { kind: 'from' | 'run' | 'copy' | 'add' | 'arg' }>;

export interface Configured {
  state: StageState;
  /** For the history: the instruction with its variables replaced. */
  said: string;
}

/** Throws 'invalid' with the line. Of WORKDIR the directory is left to the caller. */
export function configure(state: StageState, instruction: ConfigInstruction, escape: string): Configured {
  const { config } = state;
  const expand = expander(state, escape, instruction.line);
  const set = (change: Partial<ImageRunConfig>, said: string, more: Partial<StageState> = {}): Configured => ({ state: { ...state, ...more, config: { ...config, ...change } }, said });
  switch (instruction.kind) {
    case 'env': {
      const pairs = instruction.pairs.map(([name, value]): [string, string] => [expand(name), expand(value)]);
      if (pairs.some(([name]) => name === '')) throw dockerfileError(instruction.line, 'ENV names can not be blank');
      return set({ Env: mergeEnvironment(config.Env ?? [], pairs) }, `ENV ${pairs.map(([name, value]) => `${name}=${value}`).join(' ')}`);
    }
    case 'label': {
      const pairs = instruction.pairs.map(([name, value]): [string, string] => [expand(name), expand(value)]);
      return set({ Labels: { ...config.Labels, ...Object.fromEntries(pairs) } }, `LABEL ${pairs.map(([name, value]) => `${name}=${value}`).join(' ')}`);
    }
    case 'cmd': {
      const Cmd = commandLine(state, instruction.command);
      return set({ Cmd }, `CMD ${quoteList(Cmd)}`, { ownCommand: true });
    }
    case 'entrypoint': {
      const Entrypoint = commandLine(state, instruction.command);
      // The command that the base has is meant for another program.
      return set({ Entrypoint, ...(state.ownCommand ? {} : { Cmd: null }) }, `ENTRYPOINT ${quoteList(Entrypoint)}`);
    }
    case 'shell':
      return set({ Shell: instruction.argv }, `SHELL ${quoteList(instruction.argv)}`);
    case 'user': {
      const User = expand(instruction.value);
      return set({ User }, `USER ${User}`);
    }
    case 'workdir': {
      const WorkingDir = joinPath(config.WorkingDir ?? '', expand(instruction.value));
      return set({ WorkingDir }, `WORKDIR ${WorkingDir}`);
    }
    case 'stopsignal': {
      const StopSignal = expand(instruction.value);
      if (!/^(?:\d{1,2}|(?:SIG)?[A-Z][A-Z0-9]*(?:[+-]\d{1,2})?)$/i.test(StopSignal)) throw dockerfileError(instruction.line, `Invalid signal: ${StopSignal}`);
      return set({ StopSignal }, `STOPSIGNAL ${StopSignal}`);
    }
    case 'maintainer': {
      const author = expand(instruction.value);
      return set({}, `MAINTAINER ${author}`, { author });
    }
    case 'expose': {
      const ports = instruction.values.flatMap((value) => expand(value).split(/\s+/)).filter((word) => word !== '').flatMap((word) => exposedPorts(word, instruction.line));
      return set({ ExposedPorts: { ...config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) } }, `EXPOSE ${ports.join(' ')}`);
    }
    case 'volume': {
      const places = instruction.values.map((value) => expand(value).trim());
      if (places.includes('')) throw dockerfileError(instruction.line, 'VOLUME specified can not be an empty string');
      return set({ Volumes: { ...config.Volumes, ...Object.fromEntries(places.map((place) => [place, {}])) } }, `VOLUME [${places.join(' ')}]`);
    }
    case 'healthcheck': {
      const { interval, timeout, startPeriod, startInterval, retries } = instruction.options;
      const { command } = instruction;
      const Test = command === undefined ? ['NONE'] : command.form === 'exec' ? ['CMD', ...command.argv] : ['CMD-SHELL', command.text];
      const Healthcheck = {
        Test, ...(interval > 0 ? { Interval: interval } : {}), ...(timeout > 0 ? { Timeout: timeout } : {}), ...(startPeriod > 0 ? { StartPeriod: startPeriod } : {}),
        ...(startInterval > 0 ? { StartInterval: startInterval } : {}), ...(retries > 0 ? { Retries: retries } : {}),
      };
      return set({ Healthcheck }, `HEALTHCHECK ${JSON.stringify(Healthcheck)}`);
    }
    case 'onbuild':
      return set({ OnBuild: [...(config.OnBuild ?? []), instruction.trigger] }, `ONBUILD ${instruction.trigger}`);
  }
}

/** Words of an instruction with the stage's variables in them. */
export function expander(state: StageState, escape: string, line: number): (word: string) => string {
  const variables = lookUp(state);
  return (word) => {
    try {
      return expandWord(word, variables, { escape });
    } catch (error) {
      throw dockerfileError(line, `failed to process ${JSON.stringify(word)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
}

export function commandLine(state: StageState, command: CommandForm): string[] {
  return command.form === 'exec' ? command.argv : [...shellOf(state), command.text];
}

/** Absolute, without '.', '..' and doubled slashes; from `base` when it is relative. */
export function joinPath(base: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith('/') ? path : `${base}/${path}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function mergeEnvironment(before: readonly string[], pairs: readonly [string, string][]): string[] {
  const all = environmentMap(before);
  for (const [name, value] of pairs) all.set(name, value);
  return [...all].map(([name, value]) => `${name}=${value}`);
}

/** `80`, `80/udp`, `8000-8002/tcp`. */
function exposedPorts(word: string, line: number): string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word);
  const first = Number(match?.[1]);
  const last = match?.[2] === undefined ? first : Number(match[2]);
  if (match === null || last < first || last > 65535 || first < 1) throw dockerfileError(line, `Invalid containerPort: ${word}`, 'such as 80, 53/udp or 8000-8010/tcp');
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${match[3]?.toLowerCase() ?? 'tcp'}`);
}

function quoteList(words: readonly string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(' ')}]`;
}
