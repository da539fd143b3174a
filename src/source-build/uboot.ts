import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { OsbuildError, type Executor, type StepArgs } from '../model/index.ts';
import { checkSettings, readFragments, writeFragments } from './configure.ts';
import { countObjects } from './progress.ts';
import { crossCompilers } from './tools.ts';

type Args = StepArgs['source/u-boot'];

/** Executor of `source/u-boot`. */
export const uboot: Executor<'source/u-boot'> = async (context) => {
  const { args } = context;
  const fragments = await readFragments(context);
  await writeFragments(context, fragments);
  const fetched = context.inputs('files');
  const mounts = Object.fromEntries(
    args.files.map(({ sha256, filename }) => {
      const path = fetched.get(`${sha256}.deb`);
      if (path === undefined) throw new Error(`input files lacks ${filename}`);
      return [`/in/source/${basename(filename)}`, { path }];
    }),
  );
  const run = async (name: string, script: string, line?: (text: string) => void): Promise<void> => {
    await writeFile(join(context.scratch, name), script);
    await context.tool({ argv: ['sh', '-eu', `/tmp/${name}`], mounts, ...(line === undefined ? {} : { line }) });
  };
  await run('configure.sh', configureUboot(args));
  await checkSettings(context, fragments, await readFile(join(context.scratch, 'build/.config'), 'utf8'), '/tmp/source');
  await run('build.sh', buildUboot(args), countObjects(context));
  await copyFile(join(context.scratch, 'build/.config'), context.output('u-boot.config'));
  await copyFile(join(context.scratch, 'source/debian/copyright'), context.output('copyright'));
};

/** Unpacks the sources with Debian's patches to /tmp/source and leaves a configuration in /tmp/build. */
export function configureUboot(args: Args): string {
  const names = args.files.map(({ filename }) => basename(filename));
  const original = names.find((name) => /\.orig\.tar\.\w+$/.test(name));
  const debian = names.find((name) => /\.debian\.tar\.\w+$/.test(name));
  if (original === undefined || debian === undefined) {
    throw new OsbuildError('OSB_PACKAGE_MISSING', `The source package ${args.name} has ${names.join(', ')}, and not the two archives of the format 3.0 (quilt).`, { hint: 'Debian packages U-Boot in that format: is boot.source.package the one that is meant?' });
  }
  return [
    // As dpkg-source(1) unpacks 3.0 (quilt), without its .dsc: the sums are those of the signed index.
    'mkdir /tmp/source',
    `tar -xf /in/source/${original} -C /tmp/source --strip-components=1`,
    `tar -xf /in/source/${debian} -C /tmp/source`,
    "sed 's/[[:space:]]*#.*//; /^[[:space:]]*$/d' /tmp/source/debian/patches/series | while read -r patch; do patch --silent --strip=1 --directory=/tmp/source --input=\"/tmp/source/debian/patches/$patch\"; done",
    `cat /tmp/source/configs/${args.base} /tmp/fragments.config > /tmp/source/configs/minke_defconfig`,
    `${make(args)} minke_defconfig`,
    '',
  ].join('\n');
}

/** Builds, and packs the products. */
export function buildUboot(args: Args): string {
  return [
    `${make(args)} --jobs="$(nproc)" all`,
    ...args.products.flatMap((product) => [
      `if [ ! -f /tmp/build/${product} ]; then echo "${args.base} makes no ${product}; it makes: $(cd /tmp/build && ls | tr '\\n' ' ')" >&2; exit 1; fi`,
      `install -D -m 644 /tmp/build/${product} /tmp/products/${args.name}/${product}`,
    ]),
    'tar --create --file=/out/boot-loader.tar --format=gnu --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --directory=/tmp/products .',
    '',
  ].join('\n');
}

function make({ architecture }: Args): string {
  return `make --directory=/tmp/source O=/tmp/build CROSS_COMPILE=${crossCompilers[architecture].prefix}`;
}
