import type { Build, Machine } from '../../../model/index.ts';
import { bitbakeSource, coreLayer } from '../layers/resolve.ts';

type YoctoBuild = NonNullable<Build['yocto']>;
type Layers = NonNullable<YoctoBuild['layers']>;
type YoctoMachine = Partial<NonNullable<Machine['yocto']>>;

export interface KasImport {
  /** The `yocto` part of build.config.yaml. */
  build: YoctoBuild;
  /** What a kas file says of the `yocto` part of a machine file; the names of deployed files are not among it. */
  machine: YoctoMachine;
  /** What could not be taken over, or only by a guess. */
  warnings: string[];
}

/** What importing wants to know of the project it is imported into. */
export interface KasImportOptions {
  /** Sources of layers that the project has already, with their commits. */
  known: Readonly<Layers>;
}

const listWords = (value: unknown): string[] => (Array.isArray(value) ? value.filter((word) => typeof word === 'string') : typeof value === 'string' ? [value] : []);
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Variables that osbuild writes itself, of recipes and of the project. */
const ours = /^(CONF_VERSION|MACHINE|DISTRO|DISTRO_NAME|DISTRO_VERSION|MINKE_[A-Z_]+|SOURCE_DATE_EPOCH_FALLBACK|REPRODUCIBLE_TIMESTAMP_ROOTFS)$/;
/** Variables of one host, which stand in site.conf. */
const ofTheHost = /^(DL_DIR|SSTATE_DIR|TMPDIR|BB_NUMBER_THREADS|BB_NUMBER_PARSE_THREADS|PARALLEL_MAKE|BB_DISKMON_DIRS)$/;
/** Keys of a kas file that choose nothing about what is built. */
const understood = new Set(['header', 'machine', 'distro', 'target', 'repos', 'defaults', 'local_conf_header', 'bblayers_conf_header']);

/** The parts of a kas file (one file, with nothing left to include) as ours. Pure. */
export function importKas(kas: Record<string, unknown>, { known }: KasImportOptions): KasImport {
  const warnings: string[] = [];
  const warn = (text: string): void => void warnings.push(text);
  for (const key of Object.keys(kas)) if (!understood.has(key)) warn(`${key}: has no counterpart and was left out`);
  const header = isObject(kas['header']) ? kas['header'] : {};
  if (header['includes'] !== undefined) warn('header.includes: other files were not read; `kas dump` makes one file of them');
  const defaults = isObject(kas['defaults']) && isObject(kas['defaults']['repos']) ? kas['defaults']['repos'] : {};
  const layers: Layers = {};
  const use: string[] = [];
  for (const [name, value] of Object.entries(isObject(kas['repos']) ? kas['repos'] : {})) {
    if (name === 'meta-minke') continue;
    const source = importRepository(name, isObject(value) ? value : {}, defaults, known, warn);
    if (source === null) continue;
    const ourName = source.role ?? name;
    layers[ourName] = source.layer;
    if (ourName !== bitbakeSource && ourName !== coreLayer && source.enabled) use.push(ourName);
  }
  for (const name of [bitbakeSource, coreLayer]) if (layers[name] === undefined && known[name] === undefined) warn(`no source of ${name} was found among the repos: add yocto.layers.${name}`);
  const settings = importSettings(kas, warn);
  const targets = listWords(kas['target']);
  const [image, ...others] = targets.map((target) => target.split(':')[0] ?? target);
  const extra = others.filter((target) => !['virtual/kernel', 'minke-initrd-packages'].includes(target));
  const build: YoctoBuild = {
    ...(typeof kas['distro'] === 'string' ? { distro: kas['distro'] } : {}),
    ...(image === undefined ? {} : { image }),
    layers,
    use: [coreLayer, ...use],
    ...(Object.keys(settings).length === 0 ? {} : { settings }),
  };
  if (image !== undefined && image !== 'minke-image') warn(`target ${image}: the image steps want what layers/meta-minke's minke-image leaves (a root as tar, modules, a manifest): inherit its classes`);
  return { build, machine: { ...(typeof kas['machine'] === 'string' ? { machine: kas['machine'] } : {}), ...(extra.length === 0 ? {} : { targets: extra }) }, warnings };
}

interface ImportedSource {
  layer: Layers[string];
  enabled: boolean;
  /** The name that we need for it, whatever kas calls it. */
  role: string | null;
}

function importRepository(name: string, repository: Record<string, unknown>, defaults: Record<string, unknown>, known: Readonly<Layers>, warn: (text: string) => void): ImportedSource | null {
  const text = (key: string): string | undefined => (typeof repository[key] === 'string' ? repository[key] : undefined);
  if (repository['patches'] !== undefined) warn(`repos.${name}.patches: layers are taken as their commit has them; the patches were left out`);
  if (repository['type'] !== undefined && repository['type'] !== 'git') {
    warn(`repos.${name}: type ${JSON.stringify(repository['type'])} is not git; it was left out`);
    return null;
  }
  const listed = isObject(repository['layers']) ? Object.entries(repository['layers']) : null;
  const isOff = (value: unknown): boolean => ['disabled', 'excluded', 'n', 'no', '0', 'false'].includes(String(value)) || value === false || value === 0;
  const folders = listed === null ? ['.'] : listed.filter(([, value]) => !isOff(value)).map(([folder]) => folder);
  const place = name.toLowerCase();
  const url = text('url');
  const end = (url ?? text('path') ?? '').replace(/\/+$/, '').replace(/\.git$/, '').split('/').at(-1) ?? '';
  const role = place === bitbakeSource || end === bitbakeSource ? bitbakeSource : place === coreLayer || end === coreLayer ? coreLayer : null;
  const inside = folders.length === 1 && folders[0] === '.' ? {} : role === bitbakeSource ? {} : { folders };
  if (url === undefined) {
    const path = text('path');
    if (path === undefined) {
      warn(`repos.${name}: the repository of the kas file itself; name its folder in yocto.layers.${name}.path`);
      return { layer: { path: '.', ...inside }, enabled: folders.length > 0, role };
    }
    return { layer: { path, ...inside }, enabled: folders.length > 0, role };
  }
  const git = remoteUrl(url);
  const branch = text('branch') ?? (typeof defaults['branch'] === 'string' ? defaults['branch'] : undefined);
  const commit = [text('commit'), text('refspec')].find((word) => word !== undefined && /^[0-9a-f]{40}$/.test(word));
  const named = commit === undefined ? (text('tag') ?? text('refspec') ?? branch ?? (typeof defaults['refspec'] === 'string' ? defaults['refspec'] : undefined)) : undefined;
  const ofProject = known[role ?? name];
  if (commit === undefined && ofProject?.git === git && ofProject.commit !== undefined) {
    warn(`repos.${name}: names ${named ?? 'nothing'} and no commit; this project's own commit ${ofProject.commit.slice(0, 12)} was taken`);
    return { layer: { ...ofProject, ...inside }, enabled: folders.length > 0, role };
  }
  if (commit === undefined) {
    warn(`repos.${name}: names ${named ?? 'nothing'} and no commit, which may be another tomorrow; look it up (git ls-remote ${git} ${named ?? 'HEAD'}) and add yocto.layers.${role ?? name}.commit`);
    return { layer: { git, ...(branch === undefined ? {} : { branch }), ...inside }, enabled: folders.length > 0, role };
  }
  return { layer: { git, ...(branch === undefined ? {} : { branch }), commit, ...inside }, enabled: folders.length > 0, role };
}

/** `git@host:path` is ssh; everything else that git takes is a URL already. */
function remoteUrl(url: string): string {
  const found = /^(?:([\w.-]+)@)?([\w.-]+):(?!\/\/)(.*)$/.exec(url);
  return found === null ? url : `ssh://${found[1] === undefined ? '' : `${found[1]}@`}${found[2]}/${found[3]?.replace(/^\/+/, '')}`;
}

/** Assignments of one line each, and over several with backslashes; what is more than that is named. */
function importSettings(kas: Record<string, unknown>, warn: (text: string) => void): Record<string, string> {
  const settings: Record<string, string> = {};
  const headers = isObject(kas['local_conf_header']) ? kas['local_conf_header'] : {};
  for (const [section, value] of Object.entries(headers)) {
    for (const line of String(value).replaceAll(/\\\n/g, ' ').split('\n')) {
      const text = line.trim();
      if (text === '' || text.startsWith('#')) continue;
      const found = /^([A-Za-z0-9_+.${}/~:-]+?(?:\[[\w+.-]+\])?)\s*(=|:=|\?=|\?\?=|\+=|=\+|\.=|=\.)\s*(["'])(.*)\3$/.exec(text);
      const name = found?.[1];
      if (found === null || name === undefined) {
        warn(`local_conf_header.${section}: not an assignment, left out: ${text}`);
        continue;
      }
      if (ours.test(name)) continue;
      if (ofTheHost.test(name)) {
        warn(`local_conf_header.${section}: ${name} is the host's own here, and was left out`);
        continue;
      }
      assign(settings, name, found[2] ?? '=', found[4]?.replaceAll(/\s+/g, ' ') ?? '', section, warn);
    }
  }
  const bblayers = isObject(kas['bblayers_conf_header']) ? Object.values(kas['bblayers_conf_header']).map(String).join('\n') : '';
  const own = bblayers.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#') && !/^(BBPATH|BBFILES|POKY_BBLAYERS_CONF_VERSION|LCONF_VERSION)\b/.test(line));
  if (own.length > 0) warn(`bblayers_conf_header: left out, since bblayers.conf is written by osbuild: ${own.join('; ')}`);
  return settings;
}

/** Settings are assigned with `=`; what adds to a value is said with an override of the name. */
function assign(settings: Record<string, string>, name: string, operator: string, value: string, section: string, warn: (text: string) => void): void {
  const adding: Record<string, [string, string]> = { '+=': [':append', ` ${value}`], '.=': [':append', value], '=+': [':prepend', `${value} `], '=.': [':prepend', value] };
  const [suffix, text] = adding[operator] ?? ['', value];
  if (operator.includes('?') || operator === ':=') warn(`local_conf_header.${section}: ${name} ${operator} became a plain assignment`);
  const key = `${name}${suffix}`;
  const before = settings[key];
  if (before === undefined) settings[key] = text;
  else if (suffix === ':append' || key.endsWith(':append')) settings[key] = before + text;
  else if (suffix === ':prepend' || key.endsWith(':prepend')) settings[key] = text + before;
  else {
    warn(`local_conf_header.${section}: ${name} is assigned twice; the later value was taken`);
    settings[key] = text;
  }
}
