import { access, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { OsbuildError, type ManifestPackage, type StepContext } from '../../model/index.ts';

type Context = StepContext<'yocto/image'>;

/** Takes over what a build left in its deploy folder. Throws OSB_BITBAKE_FAILED for a file that is not there, OSB_KERNEL_INCOMPLETE for a module. */
export async function collect(context: Context, build: string): Promise<void> {
  const { args } = context;
  const deploy = join(build, 'tmp/deploy/images', args.machine);
  const file = async (name: string): Promise<string> => {
    const path = join(deploy, name);
    if (await access(path).then(() => true, () => false)) return path;
    const there = (await readdir(deploy).catch(() => [])).toSorted();
    throw new OsbuildError('OSB_BITBAKE_FAILED', `bitbake left no ${name} in its deploy folder`, { hint: there.length === 0 ? `nothing is in ${deploy}` : `there is: ${there.slice(0, 40).join(', ')}`, details: { deploy, there } });
  };
  const rootfs = await file(`${args.image}-${args.machine}.tar`);
  const modules = await file(`${args.image}-${args.machine}.modules`);
  await checkModules(context, modules);
  await copyFile(rootfs, context.output('rootfs.tar'));
  await copyFile(modules, context.output('modules.tar'));
  await copyFile(await file(`${args.initrdImage}-${args.machine}.tar`), context.output('initrd-packages.tar'));
  await copyFile(await file(args.deploy.kernel), context.output('vmlinuz'));
  await archive(context, 'device-trees.tar', args.deploy.deviceTrees, file);
  await archive(context, 'boot-loader.tar', args.deploy.bootLoader, file);
  const listed = await readFile(await file(`${args.image}-${args.machine}.manifest`), 'utf8');
  await writeFile(context.output('manifest.json'), `${JSON.stringify({ packages: await manifest(listed, join(build, 'tmp/pkgdata', args.machine, 'runtime-reverse')) }, null, 1)}\n`);
}

/** Files under other names, as a tar with nothing of this host in it. */
async function archive(context: Context, output: string, names: Readonly<Record<string, string>>, file: (name: string) => Promise<string>): Promise<void> {
  const folder = join(context.scratch, output.replace(/\.tar$/, ''));
  await mkdir(folder, { recursive: true });
  for (const [path, name] of Object.entries(names)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await copyFile(await file(name), join(folder, path));
  }
  const entries = (await readdir(folder)).toSorted();
  const plain = ['--format=ustar', '--sort=name', '--owner=0', '--group=0', '--numeric-owner', `--mtime=@${context.epoch}`, '--mode=u=rwX,go=rX'];
  await context.host(['tar', ...plain, '-cf', context.output(output), '-C', folder, ...(entries.length === 0 ? ['-T', '/dev/null'] : ['--', ...entries])]);
}

/** `snd-hda-intel` and snd_hda_intel.ko.xz are the same to the kernel. */
const moduleName = (path: string): string => (path.split('/').at(-1) ?? '').replace(/\.ko(\.\w+)?$/, '').replaceAll('-', '_');

async function checkModules(context: Context, tar: string): Promise<void> {
  const paths = (await context.host(['tar', '-tf', tar])).split('\n').filter(Boolean);
  const builtinFile = paths.find((path) => path.endsWith('/modules.builtin'));
  const builtin = builtinFile === undefined ? '' : await context.host(['tar', '-xOf', tar, '--', builtinFile]);
  const lacking = missingModules(paths, builtin, context.args.requiredModules);
  if (lacking.length === 0) return;
  throw new OsbuildError('OSB_KERNEL_INCOMPLETE', `bitbake's kernel has these modules neither built in nor as files: ${lacking.join(', ')}`, {
    hint: 'add them to the kernel with a configuration fragment, or name them in kernel.missingModules of the machine',
    details: { modules: lacking },
  });
}

/** Pure. `builtin` is the text of modules.builtin. */
export function missingModules(paths: readonly string[], builtin: string, required: readonly string[]): string[] {
  const there = new Set([...paths.filter((path) => /\.ko(\.\w+)?$/.test(path)), ...builtin.split('\n').filter(Boolean)].map(moduleName));
  return required.filter((name) => !there.has(name.replaceAll('-', '_')));
}

/** An image's .manifest (name, architecture, version a line), with what pkgdata knows of each package. */
async function manifest(text: string, pkgdata: string): Promise<ManifestPackage[]> {
  const lines = text.split('\n').filter(Boolean).map((line) => line.split(' '));
  return Promise.all(
    lines.map(async ([name = '', architecture = '', version = '']) => {
      const data = packageData(await readFile(join(pkgdata, name), 'utf8').catch(() => ''));
      const files = Object.keys(JSON.parse(data.get('FILES_INFO') ?? '{}') as object).length;
      return {
        name,
        version,
        architecture,
        source: data.get('PN') ?? name,
        sourceVersion: data.get('PV') ?? version,
        section: data.get('SECTION') ?? '',
        licences: (data.get('LICENSE') ?? '').split(/\s*[&|]\s*/).map((word) => word.replaceAll(/[()]/g, '').trim()).filter(Boolean),
        homepage: data.get('HOMEPAGE') ?? null,
        installedBytes: Number(data.get('PKGSIZE') ?? 0),
        downloadBytes: 0,
        sha256: '',
        files,
      };
    }),
  );
}

/** Pairs of a pkgdata file, `KEY: value` or `KEY:<package>: value`. */
function packageData(text: string): Map<string, string> {
  const pairs = text.split('\n').flatMap((line): [string, string][] => {
    const found = /^([A-Z_]+)(?::\S+?)?: (.*)$/.exec(line);
    return found?.[1] === undefined ? [] : [[found[1], found[2] ?? '']];
  });
  return new Map(pairs);
}
