/** Facts about the machine and the kernel. */
export interface Machine {
  kernelVersion(): string;
  hostname(): string;
  /** Docker's names: amd64, arm64, arm, 386; and the variant of ARM ('v5', 'v6', 'v7', 'v8', ''). */
  architecture: string;
  architectureVariant: string;
  /** uname's machine: x86_64, aarch64, armv7l … */
  machineName(): string;
  processorCount(): number;
  memoryBytes(): number;
  /** Of the engine itself: linked statically, so that it runs in any container. */
  executablePath(): string;
  randomHex(countBytes: number): string;
}
