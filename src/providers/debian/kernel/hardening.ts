/** What a kernel does against programs that attack it, as its configuration tells. */
export interface HardeningOption {
  /** Name without CONFIG_. */
  option: string;
  /** What it is for, for people. */
  why: string;
  /** Kernels that cannot have it: an option of theirs, and the reason. */
  unless?: { option: string; reason: string };
}

const arm32 = 'ARM';

export const hardeningOptions: readonly HardeningOption[] = [
  { option: 'RANDOMIZE_BASE', why: 'the kernel lies elsewhere at each start', unless: { option: arm32, reason: 'kernels for 32-bit ARM cannot be moved' } },
  { option: 'RANDOMIZE_KSTACK_OFFSET_DEFAULT', why: 'so does the stack of each system call', unless: { option: arm32, reason: 'not written for 32-bit ARM' } },
  { option: 'STRICT_KERNEL_RWX', why: 'code cannot be written, data not run' },
  { option: 'STRICT_MODULE_RWX', why: 'the same for modules' },
  { option: 'HARDENED_USERCOPY', why: 'copies from and to programs stay within one object' },
  { option: 'FORTIFY_SOURCE', why: 'copies of known size stay within it' },
  { option: 'SLAB_FREELIST_RANDOM', why: 'objects do not follow one another in the order of their making' },
  { option: 'SLAB_FREELIST_HARDENED', why: 'links between free objects cannot be forged' },
  { option: 'INIT_ON_ALLOC_DEFAULT_ON', why: 'memory is empty when it is handed out' },
  { option: 'INIT_STACK_ALL_ZERO', why: 'so are variables on the stack' },
  { option: 'STACKPROTECTOR_STRONG', why: 'a stack that was written over is noticed' },
  { option: 'VMAP_STACK', why: 'a stack that overflows meets a gap' },
  { option: 'SCHED_STACK_END_CHECK', why: 'and is looked for at each change of tasks' },
  { option: 'BUG_ON_DATA_CORRUPTION', why: 'lists that do not fit together end the task, not the checks' },
  { option: 'STRICT_DEVMEM', why: 'nobody reads memory through /dev/mem' },
  { option: 'SECCOMP_FILTER', why: 'what containers may call is filtered' },
  { option: 'SECURITY_YAMA', why: 'programs do not look into one another' },
  { option: 'BPF_UNPRIV_DEFAULT_OFF', why: 'BPF programs are for root' },
  { option: 'SYN_COOKIES', why: 'a flood of connections does not fill the table' },
];

/** The options that a configuration (text of a .config) lacks; those that its kernel cannot have come with the reason. */
export function lackingHardening(config: string): { option: string; why: string; reason: string | null }[] {
  const set = new Set([...config.matchAll(/^CONFIG_(\w+)=y$/gm)].map(([, name]) => name));
  return hardeningOptions
    .filter(({ option }) => !set.has(option))
    .map(({ option, why, unless }) => ({ option, why, reason: unless !== undefined && set.has(unless.option) ? unless.reason : null }));
}
