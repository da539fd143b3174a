import { bootLoaderOrigin, debianArchitectures, kernelOrigin, type DebianArchitecture, type DebianRequest, type DebianSetRequest, type MachineSource, type RecipeSource } from '../../model/index.ts';
import { sortRequest } from './apt/resolve.ts';
import { headersPackage, headersSet } from './kernel/headers-packages.ts';

type Modes = 'development' | 'production';

/**
 * What a machine's lock is asked for: the recipes' packages, and as sets of their own the kernel, the boot loader, the
 * initrd and, where recipes name packages for one mode alone, the whole root of that mode.
 */
export function machineRequest(source: MachineSource, recipes: RecipeSource[]): { request: DebianRequest; askedBy: Map<string, string[]> } {
  const { machine, name } = source;
  const architecture = debianArchitectures[machine.arch];
  const askedBy = new Map<string, string[]>();
  const asked = (packages: string[], by: string): string[] => {
    for (const item of packages) askedBy.set(item, [...(askedBy.get(item) ?? []), by]);
    return packages;
  };
  const qualified = (item: { package: string; architecture: DebianArchitecture | 'all' }): string => {
    asked([item.package], `machine ${name}`);
    return item.architecture === architecture || item.architecture === 'all' ? item.package : `${item.package}:${item.architecture}`;
  };
  const packages = recipes.flatMap(({ recipe, name: by }) => asked(recipe.packages?.debian ?? [], `recipe ${by}`));
  const uboot = machine.boot.method === 'u-boot' ? machine.boot : null;
  // What is built counts for nothing here but its sources.
  const boot = [...(uboot?.source === undefined ? [bootLoaderOrigin(machine.boot)] : []), ...(uboot?.firmware?.package === undefined ? [] : [uboot.firmware.package])];
  const sources = uboot?.source === undefined ? [] : asked([uboot.source.package], `machine ${name}`);
  const { source: built, artifact } = machine.kernel;
  const kernel = artifact !== undefined ? null : built === undefined ? kernelOrigin(machine.kernel) : { package: built.package, architecture: 'all' as const };
  const sets: Record<string, DebianSetRequest> = {
    kernel: { packages: kernel === null ? [] : [qualified(kernel)], dependencies: kernel !== null && built === undefined, ...(machine.kernel.debian?.suite === undefined ? {} : { suite: machine.kernel.debian.suite }) },
    bootLoader: { packages: boot.map(qualified), dependencies: false },
    initrd: { packages: recipes.flatMap(({ recipe, name: by }) => asked(recipe.initrd?.packages?.debian ?? [], `recipe ${by} (initrd)`)), dependencies: true },
  };
  const headers = kernel === null || built !== undefined ? null : headersPackage(kernel.package);
  if (kernel !== null && headers !== null) sets[headersSet] = { ...sets['kernel'], packages: [qualified({ ...kernel, package: headers })], dependencies: true, optional: true };
  for (const mode of ['development', 'production'] satisfies Modes[]) {
    const extra = recipes.flatMap(({ recipe, name: by }) => asked(recipe[mode]?.packages?.debian ?? [], `recipe ${by} (${mode})`));
    if (extra.length > 0) sets[mode] = { packages: [...packages, ...extra], dependencies: true };
  }
  const foreign = [...(kernel === null ? [] : [kernel]), ...boot].flatMap((item) => (item.architecture === architecture || item.architecture === 'all' ? [] : [item.architecture]));
  return { request: sortRequest({ architecture, foreign, packages, sets, sources }), askedBy };
}
