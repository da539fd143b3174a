import { EngineError } from '../error.ts';

export interface HealthcheckConfig {
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

/** The part of an image's configuration that becomes a container's, as Docker and OCI write it. */
export interface ImageRunConfig {
  User?: string;
  ExposedPorts?: Record<string, unknown> | null;
  Env?: string[] | null;
  Entrypoint?: string[] | null;
  Cmd?: string[] | null;
  Volumes?: Record<string, unknown> | null;
  WorkingDir?: string;
  Labels?: Record<string, string> | null;
  StopSignal?: string;
  Shell?: string[] | null;
  Healthcheck?: HealthcheckConfig | null;
  ArgsEscaped?: boolean;
  OnBuild?: string[] | null;
}

export interface ImageHistory {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** An image's configuration document; the hash of its bytes is the image's id. */
export interface ImageConfig {
  created?: string;
  author?: string;
  architecture: string;
  variant?: string;
  os: string;
  'os.version'?: string;
  config?: ImageRunConfig;
  rootfs: { type: 'layers'; diff_ids: string[] };
  history?: ImageHistory[];
  docker_version?: string;
  comment?: string;
  container?: string;
}

const LAYER_LIMIT = 125;

/** Throws 'invalid' unless the text is an image configuration for Linux with diffIDs that look like ones. */
export function parseImageConfig(text: string): ImageConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('it is not JSON');
  }
  if (!isRecord(value)) throw invalid('it is not an object');
  const rootfs = value['rootfs'];
  if (!isRecord(rootfs) || !Array.isArray(rootfs['diff_ids'])) throw invalid('it names no layers (rootfs.diff_ids)');
  const diffIds: unknown[] = rootfs['diff_ids'];
  if (diffIds.length > LAYER_LIMIT) throw invalid(`it has ${diffIds.length} layers; overlay takes ${LAYER_LIMIT}`);
  for (const diffId of diffIds) {
    if (typeof diffId !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(diffId)) throw invalid('a layer has no SHA-256 diffID');
  }
  const config = value['config'];
  if (config !== undefined && config !== null && !isRecord(config)) throw invalid('its config is not an object');
  checkKinds(value, 'a text', isText, ['architecture', 'os', 'variant', 'created', 'author']);
  checkKinds(config, 'a list of strings', isTexts, ['Env', 'Entrypoint', 'Cmd', 'Shell', 'OnBuild']);
  checkKinds(config, 'a text', isText, ['User', 'WorkingDir', 'StopSignal']);
  checkKinds(config, 'an object', isRecord, ['Volumes', 'ExposedPorts', 'Healthcheck']);
  checkKinds(config, 'an object of strings', (labels) => isRecord(labels) && Object.values(labels).every(isText), ['Labels']);
  const health = isRecord(config) ? config['Healthcheck'] : undefined;
  checkKinds(health, 'a list of strings', isTexts, ['Test']);
  checkKinds(health, 'a whole number', Number.isSafeInteger, ['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries']);
  checkKinds(value, 'a list of objects', (list) => Array.isArray(list) && list.every(isRecord), ['history']);
  for (const step of (value['history'] ?? []) as unknown[]) {
    checkKinds(step, 'a text', isText, ['created', 'created_by', 'comment', 'author']);
    checkKinds(step, 'a boolean', (flag) => typeof flag === 'boolean', ['empty_layer']);
  }
  return value as unknown as ImageConfig;
}

/** What is read as this kind later has to be of it, unless it is missing or null. */
function checkKinds(record: unknown, kind: string, is: (value: unknown) => boolean, names: readonly string[]): void {
  if (!isRecord(record)) return;
  for (const name of names) {
    const value = record[name] ?? undefined;
    if (value !== undefined && !is(value)) throw invalid(`its ${name} is not ${kind}`);
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(why: string): EngineError {
  return new EngineError('invalid', 'IMAGE_CONFIG_INVALID', `the image's configuration is not valid: ${why}`);
}
