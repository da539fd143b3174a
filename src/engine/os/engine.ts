import type { ByteSource } from '../ports/index.ts';

/** What an update wants of the engine's API. */
export interface OsEngine {
  /** Takes an image from an archive, or by its name from a registry (by a delta where there is one); its id. */
  load(archive: ByteSource): Promise<string>;
  pull(reference: string): Promise<string>;
  /** Labels of an image; undefined when it is not there. */
  labels(id: string): Promise<Readonly<Record<string, string>> | undefined>;
  /** Id of the image with this name. */
  find(name: string): Promise<string | undefined>;
  name(id: string, name: string): Promise<void>;
  /** The image as `docker save` writes it. */
  save(id: string): Promise<ByteSource & { close(): void }>;
  /** Name of a container; undefined when it is not there. */
  containerName(id: string): Promise<string | undefined>;
  /** Removes an image and all its names; one that is gone or in use is let be. */
  remove(id: string): Promise<void>;
  /** Starts a program of an image without any rights or network, which cannot discard what stands on its devices (BLKDISCARD). */
  start(program: { imageId: string; argv: readonly string[]; environment: readonly string[]; binds: readonly string[]; devices: readonly { host: string; inside: string }[] }): Promise<RunningProgram>;
}

export interface RunningProgram {
  running(): Promise<boolean>;
  /** Waits, gives its exit status and the end of what it wrote, and removes it. */
  end(): Promise<{ status: number; output: string }>;
  /** Ends and removes it, whatever it does. */
  abandon(): Promise<void>;
}
