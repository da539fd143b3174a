import { EngineError } from '../error.ts';
import { parseInterfaceAddress, parseIpv4 } from '../network/index.ts';
import type { LogLevel } from '../ports/index.ts';
import { DEFAULTS, type DaemonSettings } from './settings.ts';

type Settings = Omit<DaemonSettings, 'startedAt'>;
type Apply = (settings: Settings, value: string) => void;

interface Option {
  /** Long flag without dashes; also the key of daemon.json unless `key` says otherwise. */
  flag: string;
  short?: string;
  /** Key in daemon.json; null: not allowed there. */
  key?: string | null;
  kind: 'text' | 'list' | 'flag' | 'number';
  apply: Apply;
  help: string;
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'fatal'];

/** Every option under Docker's name. */
export const OPTIONS: readonly Option[] = [
  { flag: 'host', short: 'H', key: 'hosts', kind: 'list', help: 'Socket to listen on: unix://PATH, tcp://ADDRESS:PORT, fd://', apply: (s, value) => void s.hosts.push(checkHost(value)) },
  { flag: 'tls', kind: 'flag', help: 'TLS on TCP sockets; false: none, and everyone who reaches them is root here', apply: (s, value) => void (s.tls.on = value === 'true') },
  { flag: 'tlsverify', kind: 'flag', help: 'TLS on TCP sockets, for clients with a certificate of --tlscacert alone', apply: (s, value) => void (s.tls.verify = value === 'true') },
  { flag: 'tlscacert', kind: 'text', help: 'Authority that signed the certificates of clients', apply: (s, value) => void (s.tls.authority = absolute('tlscacert', value)) },
  { flag: 'tlscert', kind: 'text', help: "The daemon's certificate", apply: (s, value) => void (s.tls.certificate = absolute('tlscert', value)) },
  { flag: 'tlskey', kind: 'text', help: 'Key of that certificate', apply: (s, value) => void (s.tls.key = absolute('tlskey', value)) },
  { flag: 'group', short: 'G', kind: 'text', help: 'Group of the unix socket', apply: (s, value) => void (s.group = value) },
  { flag: 'data-root', kind: 'text', help: 'Root of what is kept', apply: (s, value) => void (s.dataRoot = absolute('data-root', value)) },
  { flag: 'delta-data-root', kind: 'text', help: 'Data root of another engine, read for bases of deltas', apply: (s, value) => void (s.deltaDataRoot = absolute('delta-data-root', value)) },
  { flag: 'exec-root', kind: 'text', help: 'Root of run-time state', apply: (s, value) => void (s.execRoot = absolute('exec-root', value)) },
  { flag: 'pidfile', short: 'p', kind: 'text', help: 'File for the process id', apply: (s, value) => void (s.pidFile = value) },
  { flag: 'config-file', key: null, kind: 'text', help: 'Configuration file', apply: (s, value) => void (s.configFile = value) },
  { flag: 'log-level', short: 'l', kind: 'text', help: 'debug, info, warn, error or fatal', apply: (s, value) => void (s.logLevel = oneOf('log-level', value, LEVELS)) },
  { flag: 'debug', short: 'D', kind: 'flag', help: 'The same as --log-level debug', apply: (s, value) => void (s.logLevel = value === 'true' ? 'debug' : s.logLevel) },
  { flag: 'bridge', short: 'b', kind: 'text', help: "Name of the bridge; 'none' for no network", apply: (s, value) => void (s.bridge = bridgeName(value)) },
  { flag: 'bip', kind: 'text', help: "The bridge's own address, such as 10.114.101.1/24", apply: (s, value) => void (s.bridgeAddress = bridgeAddress(value)) },
  { flag: 'mtu', kind: 'number', help: 'Largest packet on the bridge', apply: (s, value) => void (s.mtu = value === '0' ? undefined : Number(value)) },
  { flag: 'dns', kind: 'list', help: 'DNS server of containers', apply: (s, value) => void s.dns.push(dnsServer(value)) },
  { flag: 'dns-search', kind: 'list', help: 'Search domain of containers', apply: (s, value) => void s.dnsSearch.push(value) },
  { flag: 'dns-opt', key: 'dns-opts', kind: 'list', help: 'Resolver option of containers', apply: (s, value) => void s.dnsOptions.push(value) },
  { flag: 'ip-forward', kind: 'flag', help: 'Switch IPv4 forwarding on (default true)', apply: (s, value) => void (s.ipForward = value === 'true') },
  { flag: 'ip-masq', kind: 'flag', help: "Containers reach out under the host's address (default true)", apply: (s, value) => void (s.ipMasquerade = value === 'true') },
  { flag: 'label', key: 'labels', kind: 'list', help: 'Label of the daemon', apply: (s, value) => void s.labels.push(value) },
  { flag: 'insecure-registry', key: 'insecure-registries', kind: 'list', help: 'Registry that may lack valid TLS', apply: (s, value) => void s.insecureRegistries.push(value) },
  { flag: 'registry-mirror', key: 'registry-mirrors', kind: 'list', help: 'Mirror of the default registry', apply: (s, value) => void s.registryMirrors.push(mirror(value)) },
  { flag: 'http-proxy', kind: 'text', help: 'Proxy for pulls by plain HTTP (default $HTTP_PROXY)', apply: (s, value) => void (s.proxies.http = value) },
  { flag: 'https-proxy', kind: 'text', help: 'Proxy for pulls by HTTPS (default $HTTPS_PROXY)', apply: (s, value) => void (s.proxies.https = value) },
  { flag: 'no-proxy', kind: 'text', help: 'Registries that are reached without it (default $NO_PROXY)', apply: (s, value) => void (s.proxies.exceptions = value) },
  { flag: 'live-restore', kind: 'flag', help: 'Containers go on while the daemon is down (default true)', apply: (s, value) => void (s.liveRestore = value === 'true') },
  { flag: 'shutdown-timeout', kind: 'number', help: 'Seconds for containers that name no stop timeout to end with --live-restore=false or the system', apply: (s, value) => void (s.shutdownTimeoutS = Number(value)) },
  { flag: 'storage-driver', short: 's', kind: 'text', help: 'overlay2 is the only one', apply: (_, value) => void oneOf('storage-driver', value, ['overlay2', 'overlay']) },
  { flag: 'crun', kind: 'text', help: 'Program that runs containers', apply: (s, value) => void (s.crun = value) },
  { flag: 'conmon', kind: 'text', help: 'Program that watches them', apply: (s, value) => void (s.conmon = value) },
  { flag: 'nft', kind: 'text', help: 'Program that sets firewall rules', apply: (s, value) => void (s.nft = value) },
];

export interface ParsedArguments {
  /** Flag → values, in order. */
  given: Map<Option, string[]>;
  help: boolean;
  version: boolean;
  /** Only check the configuration. */
  validate: boolean;
}

/** Throws 'invalid' naming the nearest flag for one that is not known. */
export function parseArguments(argv: readonly string[]): ParsedArguments {
  const parsed: ParsedArguments = { given: new Map(), help: false, version: false, validate: false };
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (word === '--help' || word === '-h') parsed.help = true;
    else if (word === '--version' || word === '-v') parsed.version = true;
    else if (word === '--validate') parsed.validate = true;
    else {
      const { option, value } = splitFlag(word);
      if (value !== undefined) add(parsed.given, option, value);
      else if (option.kind === 'flag') add(parsed.given, option, 'true');
      else {
        index += 1;
        const next = argv[index];
        if (next === undefined) throw invalid(`flag needs an argument: ${word}`);
        add(parsed.given, option, next);
      }
    }
  }
  return parsed;
}

function splitFlag(word: string): { option: Option; value: string | undefined } {
  const long = /^--([^=]+)(?:=([^]*))?$/.exec(word);
  const short = /^-(\w)(?:=?([^]+))?$/.exec(word);
  const option = OPTIONS.find((candidate) => (long === null ? short !== null && candidate.short === short[1] : candidate.flag === long[1]));
  if (option !== undefined) return { option, value: long?.[2] ?? short?.[2] };
  if (!word.startsWith('-')) throw invalid(`unexpected argument ${JSON.stringify(word)}`, 'minke daemon takes flags only');
  const near = nearest(long?.[1] ?? word.slice(1), OPTIONS.map(({ flag }) => flag));
  throw invalid(`unknown flag: ${word}`, near === undefined ? 'minke daemon --help lists them' : `did you mean --${near}?`);
}

function add(given: Map<Option, string[]>, option: Option, value: string): void {
  const before = given.get(option);
  if (before !== undefined && option.kind !== 'list') throw invalid(`--${option.flag} is given twice`);
  checkKind(`--${option.flag}`, option, value);
  given.set(option, [...(before ?? []), value]);
}

/** Keys of daemon.json, checked, as flags would give them. Throws 'invalid'. */
export function parseConfigFile(text: string, path: string): Map<Option, string[]> {
  let document: unknown;
  try {
    document = JSON.parse(text === '' ? '{}' : text);
  } catch (error) {
    throw invalid(`${path} is not valid JSON: ${error instanceof Error ? error.message : ''}`);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) throw invalid(`${path} must hold an object`);
  const keys = OPTIONS.filter(({ key }) => key !== null).map((option) => ({ option, key: option.key ?? option.flag }));
  const given = new Map<Option, string[]>();
  for (const [name, value] of Object.entries(document)) {
    const option = keys.find(({ key }) => key === name)?.option;
    if (option === undefined) {
      const near = nearest(name, keys.map(({ key }) => key));
      throw invalid(`${path}: unknown key ${JSON.stringify(name)}`, near === undefined ? undefined : `did you mean ${JSON.stringify(near)}?`);
    }
    const values = option.kind === 'list' ? value : [value];
    const type = option.kind === 'flag' ? 'boolean' : option.kind === 'number' ? 'number' : 'string';
    if (!Array.isArray(values) || values.some((item) => typeof item !== type)) {
      throw invalid(`${path}: ${JSON.stringify(name)} must be ${option.kind === 'list' ? 'a list of strings' : `a ${type}`}`);
    }
    given.set(option, values.map(String));
    for (const item of given.get(option) ?? []) checkKind(`${path}: ${name}`, option, item);
  }
  return given;
}

/** Flags over the file over the defaults. The same option in both is an error, as with Docker: which one wins should be no riddle. */
export function resolveSettings(fromFile: Map<Option, string[]>, fromFlags: Map<Option, string[]>): Settings {
  const settings = structured(DEFAULTS);
  for (const option of fromFlags.keys()) {
    if (fromFile.has(option)) throw invalid(`--${option.flag} is given as a flag and in the configuration file`, 'remove one of them');
  }
  for (const [option, values] of [...fromFile, ...fromFlags]) for (const value of values) option.apply(settings, value);
  return settings;
}

export function flagText(given: Map<Option, string[]>, flag: string): string | undefined {
  return [...given].find(([option]) => option.flag === flag)?.[1].at(-1);
}

export function helpText(): string {
  const lines = OPTIONS.map(({ flag, short, kind, help }) => `  ${short === undefined ? '    ' : `-${short}, `}--${`${flag}${kind === 'flag' ? '' : kind === 'list' ? ' list' : kind === 'number' ? ' int' : ' string'}`.padEnd(26)} ${help}`);
  return ['Usage:  minke daemon [OPTIONS]', '', 'Runs the container engine.', '', 'Options:', ...lines, '      --validate                   Check flags and configuration file, then end', ''].join('\n');
}

function structured(defaults: Settings): Settings {
  return JSON.parse(JSON.stringify({ ...defaults, mtu: null }), (key, value: unknown) => (key === 'mtu' && value === null ? undefined : value)) as Settings;
}

function checkKind(where: string, option: Option, value: string): void {
  if (option.kind === 'flag' && value !== 'true' && value !== 'false') throw invalid(`${where}: ${JSON.stringify(value)} is neither true nor false`);
  if (option.kind === 'number' && !/^\d{1,9}$/.test(value)) throw invalid(`${where}: ${JSON.stringify(value)} is not a whole number`);
}

function checkHost(value: string): string {
  if (/^unix:\/\/\/./.test(value) || /^fd:\/\/.*$/.test(value)) return value;
  const tcp = /^tcp:\/\/(\[[0-9a-fA-F:]+\]|[^:/]*):(\d{1,5})$/.exec(value);
  if (tcp === null || Number(tcp[2]) > 65535) throw invalid(`invalid host ${JSON.stringify(value)}`, 'unix:///path, tcp://address:port and fd:// are understood');
  if (tcp[1] !== '' && tcp[1] !== 'localhost' && !tcp[1]?.startsWith('[') && parseIpv4(tcp[1] ?? '') === undefined) throw invalid(`invalid host ${JSON.stringify(value)}: the address must be numeric`);
  return value;
}

function absolute(name: string, value: string): string {
  if (!value.startsWith('/')) throw invalid(`--${name} must be an absolute path, not ${JSON.stringify(value)}`);
  if (/[:,\\\s]/.test(value)) throw invalid(`--${name} must not contain blanks, colons, commas or backslashes: the kernel's mount options cannot carry them`);
  return value.replace(/\/+$/, '') || '/';
}

function bridgeName(value: string): string {
  if (!/^[a-zA-Z0-9][\w.-]{0,14}$/.test(value)) throw invalid(`invalid bridge name ${JSON.stringify(value)}`);
  return value;
}

function bridgeAddress(value: string): string {
  parseInterfaceAddress(value);
  return value;
}

function dnsServer(value: string): string {
  if (parseIpv4(value) === undefined && !/^[0-9a-fA-F:]*:[0-9a-fA-F:.]*$/.test(value)) throw invalid(`${JSON.stringify(value)} is not an IP address`, 'a DNS server is named by its address');
  return value;
}

function mirror(value: string): string {
  if (!/^https?:\/\/[^/?#@\s]+\/?$/.test(value)) throw invalid(`invalid mirror: ${JSON.stringify(value)}`, 'write it like https://mirror.example, without a path');
  return value;
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw invalid(`--${name}: ${JSON.stringify(value)} is not supported`, `use ${allowed.join(', ')}`);
  return found;
}

function nearest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates.map((candidate) => ({ candidate, distance: editDistance(word, candidate) })).sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.max(2, word.length / 3) ? best.candidate : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function invalid(message: string, hint?: string): EngineError {
  return new EngineError('invalid', 'DAEMON_OPTION', message, hint === undefined ? {} : { hint });
}
