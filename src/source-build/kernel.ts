import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Executor, StepArgs } from '../model/index.ts';
import { checkSettings, readFragments, writeFragments } from './configure.ts';
import { countObjects } from './progress.ts';
import { crossCompilers, kernelTargets } from './tools.ts';

type Args = StepArgs['source/kernel'];

/** Executor of `source/kernel`. */
export const kernel: Executor<'source/kernel'> = async (context) => {
  const { args, epoch } = context;
  const fragments = await readFragments(context);
  const deb = context.inputs('debs').get(`${args.package.sha256}.deb`);
  if (deb === undefined) throw new Error(`input debs lacks ${args.package.filename}`);
  await writeFragments(context, fragments);
  const run = async (name: string, script: string, line?: (text: string) => void): Promise<void> => {
    await writeFile(join(context.scratch, name), script);
    await context.tool({ argv: ['sh', '-eu', `/tmp/${name}`], env: kernelEnvironment(epoch), mounts: { '/in/linux-source.deb': { path: deb } }, ...(line === undefined ? {} : { line }) });
  };
  await run('configure.sh', configureKernel(args));
  const config = await readFile(join(context.scratch, 'build/.config'), 'utf8');
  await checkSettings(context, fragments, config, '/tmp/source');
  await run('build.sh', buildKernel(args), countObjects(context));
  await copyFile(join(context.scratch, 'build/.config'), context.output('kernel.config'));
};

/** What kbuild writes into a kernel beside its sources: the same on every machine. Kbuild's own variables (Documentation/kbuild/reproducible-builds.rst). */
export function kernelEnvironment(epoch: number): Record<string, string> {
  return { KBUILD_BUILD_TIMESTAMP: new Date(epoch * 1000).toUTCString(), KBUILD_BUILD_USER: 'osbuild', KBUILD_BUILD_HOST: 'osbuild', KBUILD_BUILD_VERSION: '1' };
}

/** Unpacks the sources to /tmp/source and leaves a configuration in /tmp/build. */
export function configureKernel(args: Args): string {
  const { sourceFolder } = kernelTargets[args.architecture];
  const archive = `usr/src/${sourceName(args)}.tar.xz`;
  return [
    'dpkg-deb --fsys-tarfile /in/linux-source.deb > /tmp/package.tar',
    `tar -xf /tmp/package.tar -C /tmp ./${archive}`,
    'mkdir /tmp/source /tmp/build',
    `tar -xJf /tmp/${archive} -C /tmp/source --strip-components=1`,
    `rm -r /tmp/package.tar /tmp/usr`,
    args.base === null ? ': > /tmp/all.config' : `cp /tmp/source/arch/${sourceFolder}/configs/${args.base} /tmp/all.config`,
    'cat /tmp/fragments.config >> /tmp/all.config',
    // Everything that is given, and Kconfig's default for the rest.
    `${make(args)} KCONFIG_ALLCONFIG=/tmp/all.config alldefconfig`,
    '',
  ].join('\n');
}

/** Builds, and lays the results out as a kernel package has them. */
export function buildKernel(args: Args): string {
  const { image, deviceTrees, sourceFolder } = kernelTargets[args.architecture];
  return [
    `${make(args)} --jobs="$(nproc)" ${image} modules${deviceTrees ? ' dtbs' : ''}`,
    `release=$(${make(args)} --silent kernelrelease)`,
    'root=/tmp/root',
    'mkdir -p "$root/boot" "$root/usr"',
    // Indexes are made later, of the modules that go into the image.
    `${make(args)} --silent INSTALL_MOD_PATH="$root/usr" INSTALL_MOD_STRIP=1 DEPMOD=true modules_install`,
    'rm -f "$root/usr/lib/modules/$release/build" "$root/usr/lib/modules/$release/source"',
    ...(deviceTrees ? [`${make(args)} --silent INSTALL_DTBS_PATH="$root/usr/lib/linux-image-$release" dtbs_install`] : []),
    `cp /tmp/build/arch/${sourceFolder}/boot/${image} "$root/boot/vmlinuz-$release"`,
    'tar --create --file=/out/kernel.tar --format=gnu --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX-w --directory="$root" boot usr',
    '',
  ].join('\n');
}

function make({ architecture }: Args): string {
  return `make --directory=/tmp/source O=/tmp/build ARCH=${kernelTargets[architecture].arch} CROSS_COMPILE=${crossCompilers[architecture].prefix} LOCALVERSION=-minke`;
}

/** linux-source-6.12_6.12.117-1_all.deb → linux-source-6.12 */
function sourceName(args: Args): string {
  return basename(args.package.filename).split('_')[0] ?? '';
}
