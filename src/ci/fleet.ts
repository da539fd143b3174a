/** What a pipeline builds, and how; the same for every service. */
export interface FleetPipeline {
  machines: string[];
  /** Command that runs osbuild from the top of the repository, such as ./osbuild. */
  osbuild: string;
  /** Folder of the project, from the top of the repository; `.` is the top itself. */
  folder: string;
  provider: 'debian' | 'yocto';
  mode: 'development' | 'production';
  locked: boolean;
  /** Address of the shared cache that the project names; null: a variable of the CI service may name one. */
  remoteCache: string | null;
  /** Branch whose builds may store in the shared cache. */
  branch: string;
}

/** Debian's own image: its apt configuration names the mirror, and its Node.js is new enough. */
export const jobImage = 'debian:trixie';

/** What bitbake wants of a host beyond osbuild itself (docs of openembedded-core 5.0). */
const yoctoPackages = ['build-essential', 'chrpath', 'cpio', 'debianutils', 'diffstat', 'file', 'gawk', 'iputils-ping', 'locales', 'lz4', 'patch', 'python3', 'rpcsvc-proto', 'unzip', 'wget', 'xz-utils', 'zstd'];

/** Lines that prepare a job's container. */
export function setUp({ provider }: FleetPipeline): string[] {
  const packages = ['ca-certificates', 'git', 'nodejs', 'npm', ...(provider === 'yocto' ? yoctoPackages : [])];
  return [
    'apt-get update -q',
    `apt-get install -y -q --no-install-recommends ${packages.join(' ')}`,
    ...(provider === 'yocto' ? ["sed -i 's/^# *en_US.UTF-8/en_US.UTF-8/' /etc/locale.gen", 'locale-gen'] : []),
  ];
}

/** The command that builds one machine, which `machine` stands for. */
export function buildCommand({ osbuild, folder, provider, mode, locked }: FleetPipeline, machine: string): string {
  return [osbuild, 'image', '--machine', machine, ...(provider === 'yocto' ? ['--provider', provider] : []), '--mode', mode, ...(folder === '.' ? [] : ['-C', folder]), ...(locked ? ['--locked'] : [])].join(' ');
}

export const outFolder = ({ folder }: FleetPipeline, machine: string): string => `${folder === '.' ? '' : `${folder}/`}out/${machine}`;

/** Bitbake takes hours where the shared state is empty. */
export const timeoutMinutes = ({ provider }: FleetPipeline): number => (provider === 'yocto' ? 720 : 120);
