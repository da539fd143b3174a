import { shellWord } from '../../exec/index.ts';
import type { ImageRequest, RecipeSource } from '../../model/index.ts';

type Request = Pick<ImageRequest, 'recipes' | 'mode' | 'os' | 'machine' | 'epoch'>;

/** Name of the engine's package; recipes with `engine: true` want it. */
export const enginePackage = 'minke-engine';

/**
 * The layer that carries a project's recipes into bitbake: its text files by path. Recipes' own files stand beside them,
 * below files/<recipe>/, and the engine's sources in engine/. Pure.
 */
export function projectLayer(request: Request, release: string): Record<string, string> {
  return { 'conf/layer.conf': layerConf(request, release), 'conf/minke-project.inc': include(request) };
}

function layerConf({ recipes }: Request, release: string): string {
  const engine = recipes.some(({ recipe }) => recipe.engine === true);
  return `# Written by osbuild: the recipes of a project.
BBPATH .= ":\${LAYERDIR}"
BBFILE_COLLECTIONS += "minke-project"
BBFILE_PATTERN_minke-project = ""
# It has no recipes of its own, which bitbake would warn of.
BBFILE_PATTERN_IGNORE_EMPTY_minke-project = "1"
BBFILE_PRIORITY_minke-project = "11"
LAYERDEPENDS_minke-project = "minke"
LAYERSERIES_COMPAT_minke-project = "${release}"
MINKE_PROJECT_DIR = "\${LAYERDIR}"
${engine ? 'MINKE_ENGINE_DIR = "${LAYERDIR}/engine"\n' : ''}`;
}

function include(request: Request): string {
  return `# Written by osbuild: what the project's recipes add to the root of ${request.machine.name}.
EXTRA_USERS_PARAMS = "${users(request.recipes)}"
MINKE_PROJECT_DIR[vardepvalue] = "1"
do_rootfs[file-checksums] += "\${MINKE_PROJECT_DIR}/files:True"

ROOTFS_POSTPROCESS_COMMAND += "minke_project_files minke_project_units minke_project_modes minke_project_state "

minke_put() {
\tinstall -d "$(dirname "\${IMAGE_ROOTFS}$3")"
\trm -f "\${IMAGE_ROOTFS}$3"
\tinstall -m "$1" "\${MINKE_PROJECT_DIR}/files/$2" "\${IMAGE_ROOTFS}$3"
}

minke_link() {
\t# A link stands for one program among several; where another has the name already and this one is not there, it stays.
\tcase "$1" in */*) ;; *) if [ ! -e "\${IMAGE_ROOTFS}$(dirname "$2")/$1" ] && [ -e "\${IMAGE_ROOTFS}$2" ]; then return 0; fi ;; esac
\tinstall -d "$(dirname "\${IMAGE_ROOTFS}$2")"
\tln -sfn "$1" "\${IMAGE_ROOTFS}$2"
}

minke_mode() {
\tcase "$1" in */) install -d "\${IMAGE_ROOTFS}$1" ;; esac
\tif [ ! -e "\${IMAGE_ROOTFS}$1" ] && [ ! -h "\${IMAGE_ROOTFS}$1" ]; then
\t\tbbfatal "$4: $1 is not in the image"
\tfi
\tif [ -n "$3" ]; then chown "$3" "\${IMAGE_ROOTFS}$1"; fi
\tif [ -n "$2" ]; then chmod "$2" "\${IMAGE_ROOTFS}$1"; fi
}

minke_unit() {
\tfor folder in /etc/systemd/system /usr/lib/systemd/system; do
\t\tif [ -e "\${IMAGE_ROOTFS}$folder/$1" ] || [ -h "\${IMAGE_ROOTFS}$folder/$1" ]; then return 0; fi
\tdone
\tbbfatal "the recipes enable $1, which is not in the image"
}

minke_state() {
\t[ -e "\${IMAGE_ROOTFS}$1" ] || install -d "\${IMAGE_ROOTFS}$1"
\tminke_mode "$1" "$2" "$3" state
\tprintf '%s %04d %s %s\\n' "$1" "$(stat -c %a "\${IMAGE_ROOTFS}$1")" "$(stat -c %u:%g "\${IMAGE_ROOTFS}$1")" "$4" >> "\${IMAGE_ROOTFS}/usr/lib/minke/state.list"
}

${shellFunction('minke_project_files', files(request))}
${shellFunction('minke_project_units', units(request))}
${shellFunction('minke_project_modes', modes(request))}
${shellFunction('minke_project_state', ['install -d "${IMAGE_ROOTFS}/usr/lib/minke"', ': > "${IMAGE_ROOTFS}/usr/lib/minke/state.list"', ...state(request.recipes)])}`;
}

function shellFunction(name: string, lines: string[]): string {
  return `${name}() {\n${(lines.length === 0 ? [':'] : lines).map((line) => `\t${line}\n`).join('')}}\n`;
}

/** A word of a shell function. In single quotes the dollar is the shell's no more, but bitbake's still: it stands apart from its brace. */
const word = (text: string): string => {
  const quoted = text === '' ? "''" : shellWord(text);
  return quoted.replaceAll('${', () => `$'"{"'`);
};

function files({ recipes, mode }: Request): string[] {
  const put: string[] = [];
  for (const { name, files: all, recipe } of recipes) {
    for (const folder of ['files/', `files.${mode}/`]) {
      for (const { path, type } of all) {
        if (!path.startsWith(folder)) continue;
        const place = `/${path.slice(folder.length)}`;
        if (type === 'link') put.push(`rm -f "\${IMAGE_ROOTFS}"${word(place)} && install -d "$(dirname "\${IMAGE_ROOTFS}"${word(place)})" && cp -P "\${MINKE_PROJECT_DIR}/files/"${word(`${name}/${path}`)} "\${IMAGE_ROOTFS}"${word(place)}`);
        else put.push(`minke_put ${type === 'executable' ? '0755' : '0644'} ${word(`${name}/${path}`)} ${word(place)}`);
      }
    }
    for (const [path, target] of Object.entries({ ...recipe.links, ...recipe[mode]?.links })) put.push(`minke_link ${word(target)} ${word(path)}`);
  }
  return put;
}

/** Presets rather than links: bitbake applies them to the whole root after this. What no recipe enables is off; a unit that is not there would be left out without a word. */
function units({ recipes, mode, os, machine, epoch }: Request): string[] {
  const of = (what: 'enable' | 'disable' | 'mask'): string[] => unique(recipes.flatMap(({ recipe }) => [...(recipe.units?.[what] ?? []), ...(recipe[mode]?.units?.[what] ?? [])]));
  const preset = [...of('disable').map((unit) => `disable ${unit}`), ...of('enable').map((unit) => `enable ${unit}`), 'disable *'];
  const release: Record<string, string> = {
    NAME: os.name,
    ID: os.id,
    PRETTY_NAME: `${os.name} ${os.version}`,
    VERSION: os.version,
    VERSION_ID: os.version,
    IMAGE_ID: `${os.id}-${machine.name}`,
    IMAGE_VERSION: os.version,
    VARIANT: mode === 'development' ? 'Development' : 'Production',
    VARIANT_ID: mode,
  };
  const lines = (path: string, texts: string[]): string => `printf '%s\\n' ${texts.map(word).join(' ')} > "\${IMAGE_ROOTFS}"${word(path)}`;
  return [
    'install -d "${IMAGE_ROOTFS}/usr/lib/systemd/system-preset" "${IMAGE_ROOTFS}/etc/systemd/system"',
    lines('/usr/lib/systemd/system-preset/00-minke.preset', preset),
    ...of('enable').map((unit) => `minke_unit ${word(unit.replace(/@[^.]+/, '@'))}`),
    ...of('mask').map((unit) => `ln -sfn /dev/null "\${IMAGE_ROOTFS}/etc/systemd/system/"${word(unit)}`),
    lines('/usr/lib/os-release', Object.entries(release).map(([key, value]) => `${key}="${value.replaceAll(/["\\$`]/g, (character) => `\\${character}`)}"`)),
    'rm -f "${IMAGE_ROOTFS}/etc/machine-id" && : > "${IMAGE_ROOTFS}/etc/machine-id" && chmod 0444 "${IMAGE_ROOTFS}/etc/machine-id"',
    ...['/etc/.updated', '/var/.updated'].map((path) => lines(path, ['# Written at build time: nothing below /usr is newer.', `TIMESTAMP_NSEC=${epoch}000000000`])),
  ];
}

function modes({ recipes, mode }: Request): string[] {
  return recipes.flatMap(({ name, recipe }) =>
    Object.entries({ ...recipe.statoverrides, ...recipe.files, ...recipe[mode]?.files }).map(([path, { mode: bits, owner }]) => `minke_mode ${word(path)} ${word(bits ?? '')} ${word(owner ?? '')} ${word(`recipe ${name}`)}`),
  );
}

function state(recipes: RecipeSource[]): string[] {
  const all = recipes.flatMap(({ recipe }) => (recipe.state ?? []).map((item) => (typeof item === 'string' ? { path: item } : item)));
  const byPath = new Map(all.map((item) => [item.path, item]));
  return [...byPath.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1)).map((item) => {
    const { path, mode, owner, on } = { mode: '', owner: '', on: 'state', ...item };
    return `minke_state ${word(path)} ${word(mode)} ${word(owner)} ${word(on)}`;
  });
}

/** Lines of sysusers.d(5) as the orders of extrausers.bbclass, which leaves those alone that packages have made. */
function users(recipes: RecipeSource[]): string {
  const orders: string[] = [];
  for (const { recipe } of recipes) {
    for (const line of recipe.users ?? []) {
      const [type, name, , , home, shell] = (line.match(/"[^"]*"|\S+/g) ?? []).map((field) => field.replaceAll('"', ''));
      if (name === undefined) continue;
      if (type === 'g') orders.push(`groupadd --system ${name};`);
      else if (type === 'u' || type === 'u!') {
        orders.push(`useradd --system --user-group --no-create-home${home === undefined || home === '-' ? '' : ` --home-dir ${home}`} --shell ${shell === undefined || shell === '-' ? '/usr/sbin/nologin' : shell} ${name};`);
      } else if (type === 'm') orders.push(`usermod --append --groups ${(line.match(/\S+/g) ?? [])[2] ?? ''} ${name};`);
    }
  }
  return unique(orders).join(' ');
}

const unique = (words: string[]): string[] => [...new Set(words)];
