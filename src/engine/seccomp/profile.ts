import { EngineError } from '../error.ts';
import type { OciSeccomp, OciSeccompArgument, OciSeccompCall } from '../runtime/index.ts';

/** When a rule applies; all that is named has to hold. */
export interface SeccompCondition {
  caps?: string[];
  arches?: string[];
  minKernel?: string;
}

export interface SeccompRule {
  names?: string[];
  name?: string;
  action: string;
  errnoRet?: number;
  args?: OciSeccompArgument[] | null;
  includes?: SeccompCondition;
  excludes?: SeccompCondition;
}

/** The file format of `--security-opt seccomp=FILE`: the OCI one, with rules that depend on capabilities, architecture and kernel. */
export interface SeccompProfile {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  archMap?: { architecture: string; subArchitectures?: string[] | null }[];
  syscalls: SeccompRule[];
}

export interface SeccompFacts {
  /** As 'CAP_…'. */
  capabilities: readonly string[];
  /** amd64, arm64, arm, 386 */
  architecture: string;
  /** '6.1.0-12-amd64' */
  kernelVersion: string;
}

const ACTIONS = ['SCMP_ACT_KILL', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_TRAP', 'SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE', 'SCMP_ACT_ALLOW', 'SCMP_ACT_LOG'];
const OPERATORS = ['SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT', 'SCMP_CMP_MASKED_EQ'];
const NATIVE: Record<string, string> = { amd64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64', arm: 'SCMP_ARCH_ARM', 386: 'SCMP_ARCH_X86' };
/** Names of architectures in conditions. */
const CONDITION_NAME: Record<string, string> = { 386: 'x86' };

/** The text after 'seccomp='. Throws 'invalid'. */
export function parseProfile(text: string): SeccompProfile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('it is not JSON');
  }
  if (!isObject(value)) throw invalid('it is not an object');
  const profile = value as unknown as SeccompProfile;
  if (!ACTIONS.includes(profile.defaultAction)) throw invalid(`unknown defaultAction ${JSON.stringify(profile.defaultAction)}`);
  for (const list of ['syscalls', 'architectures', 'archMap'] as const) {
    if (profile[list] !== undefined && profile[list] !== null && !Array.isArray(profile[list])) throw invalid(`${list} is not a list`);
  }
  for (const rule of profile.syscalls ?? []) checkRule(rule);
  if ((profile.architectures?.length ?? 0) > 0 && (profile.archMap?.length ?? 0) > 0) throw invalid("'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' or 'archMap'");
  return { ...profile, syscalls: profile.syscalls ?? [] };
}

function checkRule(rule: unknown): void {
  if (!isObject(rule)) throw invalid('a rule is not an object');
  const { name, names, action, args } = rule;
  const list: unknown = names ?? [];
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) throw invalid("a rule's names are not a list of strings");
  if (name !== undefined && name !== '' && list.length > 0) throw invalid("'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'");
  if (list.length === 0 && (typeof name !== 'string' || name === '')) throw invalid('a rule names no system call');
  if (typeof action !== 'string' || !ACTIONS.includes(action)) throw invalid(`unknown action ${JSON.stringify(action)}`);
  for (const argument of Array.isArray(args) ? (args as unknown[]) : []) {
    if (!isObject(argument) || typeof argument['index'] !== 'number' || !OPERATORS.includes(String(argument['op']))) throw invalid('a rule has a malformed argument');
  }
}

/** What of a profile holds here, in the runtime's format. */
export function resolveProfile(profile: SeccompProfile, facts: SeccompFacts): OciSeccomp {
  const syscalls: OciSeccompCall[] = [];
  for (const rule of profile.syscalls) {
    if (!holds(rule.includes, facts) || excluded(rule.excludes, facts)) continue;
    syscalls.push({
      names: rule.names !== undefined && rule.names.length > 0 ? rule.names : [rule.name ?? ''],
      action: rule.action,
      ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
      ...(rule.args === undefined || rule.args === null || rule.args.length === 0 ? {} : { args: rule.args }),
    });
  }
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: architectures(profile, facts.architecture),
    syscalls,
  };
}

function architectures(profile: SeccompProfile, architecture: string): string[] {
  if (profile.architectures !== undefined && profile.architectures.length > 0) return profile.architectures;
  const native = NATIVE[architecture];
  if (native === undefined) return [];
  const entry = profile.archMap?.find((candidate) => candidate.architecture === native);
  return [native, ...(entry?.subArchitectures ?? [])];
}

function holds(condition: SeccompCondition | undefined, facts: SeccompFacts): boolean {
  if (condition?.arches !== undefined && condition.arches.length > 0 && !condition.arches.includes(conditionName(facts))) return false;
  if (condition?.caps?.some((capability) => !facts.capabilities.includes(capability)) === true) return false;
  return condition?.minKernel === undefined || condition.minKernel === '' || atLeast(facts.kernelVersion, condition.minKernel);
}

function excluded(condition: SeccompCondition | undefined, facts: SeccompFacts): boolean {
  if (condition === undefined) return false;
  if (condition.arches?.includes(conditionName(facts)) === true) return true;
  if (condition.caps?.some((capability) => facts.capabilities.includes(capability)) === true) return true;
  return condition.minKernel !== undefined && condition.minKernel !== '' && atLeast(facts.kernelVersion, condition.minKernel);
}

function conditionName({ architecture }: SeccompFacts): string {
  return CONDITION_NAME[architecture] ?? architecture;
}

function atLeast(version: string, wanted: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map((part) => Number.parseInt(part, 10));
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(what: string): EngineError {
  return new EngineError('invalid', 'SECCOMP_PROFILE', `Decoding seccomp profile failed: ${what}`);
}
