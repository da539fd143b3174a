import type { Heredoc } from './heredoc.ts';

export type CommandForm = { form: 'exec'; argv: string[] } | { form: 'shell'; text: string };

export interface CopyOptions {
  from: string;
  chown: string;
  chmod: string;
  parents: boolean;
  exclude: string[];
  /** ADD alone: 'sha256:…' of what an address gives, or a repository's commit. */
  checksum: string;
  /** ADD alone: archives are unpacked unless false. */
  unpack: boolean | undefined;
  /** ADD alone: a repository comes with its .git. */
  keepGitFolder: boolean;
}

export interface HealthcheckOptions {
  /** Nanoseconds; 0 for inherited. */
  interval: number;
  timeout: number;
  startPeriod: number;
  startInterval: number;
  retries: number;
}

/** What an instruction says. Words are as written: variables in them are replaced when it is carried out. */
export type InstructionBody =
  | { kind: 'from'; image: string; platform: string; stage: string }
  | { kind: 'arg'; args: { name: string; value: string | undefined }[] }
  | { kind: 'env' | 'label'; pairs: [string, string][] }
  | { kind: 'run'; command: CommandForm; mounts: string[]; network: string; heredocs: Heredoc[] }
  | { kind: 'cmd' | 'entrypoint'; command: CommandForm }
  | { kind: 'shell'; argv: string[] }
  | { kind: 'copy' | 'add'; sources: string[]; destination: string; options: CopyOptions; heredocs: Heredoc[] }
  | { kind: 'workdir'; value: string }
  | { kind: 'user' | 'stopsignal' | 'maintainer'; value: string }
  | { kind: 'expose' | 'volume'; values: string[] }
  | { kind: 'healthcheck'; command: CommandForm | undefined; options: HealthcheckOptions }
  | { kind: 'onbuild'; trigger: string };

export type Instruction = InstructionBody & {
  /** From 1. */
  line: number;
  /** As written, on one line. */
  text: string;
};

export type InstructionOf<K extends Instruction['kind']> = Extract<Instruction, { kind: K }>;

export interface Stage {
  from: InstructionOf<'from'>;
  instructions: Exclude<Instruction, { kind: 'from' }>[];
}

export interface Dockerfile {
  escape: '\\' | '`';
  /** ARG in front of the first FROM. */
  globalArgs: InstructionOf<'arg'>[];
  stages: Stage[];
  warnings: string[];
}
