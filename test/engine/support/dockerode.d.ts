// The part of dockerode that the tests use; the package brings no types.
declare module 'dockerode' {
  import type { Duplex, Readable, Writable } from 'node:stream';

  interface Exec {
    start(options: { hijack?: boolean; stdin?: boolean; Tty?: boolean }): Promise<Duplex>;
    inspect(): Promise<{ Running: boolean; ExitCode: number | null }>;
  }
  interface Container {
    id: string;
    start(): Promise<unknown>;
    wait(): Promise<{ StatusCode: number }>;
    remove(options?: { force?: boolean; v?: boolean }): Promise<unknown>;
    attach(options: { stream: boolean; stdin?: boolean; stdout?: boolean; stderr?: boolean; hijack?: boolean }): Promise<Duplex>;
    exec(options: { Cmd: string[]; AttachStdin?: boolean; AttachStdout?: boolean; AttachStderr?: boolean; Tty?: boolean }): Promise<Exec>;
    logs(options: { stdout: boolean; stderr: boolean; follow?: false; tail?: number }): Promise<Buffer>;
    stats(options: { stream: false }): Promise<{ memory_stats: { usage: number } }>;
    inspect(): Promise<{ Name: string; State: { Status: string; ExitCode: number }; Config: { Labels: Record<string, string> } }>;
  }
  export default class Docker {
    constructor(options: { socketPath: string; version?: string });
    modem: { demuxStream(stream: Readable, stdout: Writable, stderr: Writable): void; followProgress(stream: Readable, finished: (error: Error | null, output: Record<string, unknown>[]) => void): void };
    createContainer(options: Record<string, unknown>): Promise<Container>;
    getContainer(id: string): Container;
    run(image: string, command: string[], output: Writable): Promise<[{ StatusCode: number }, Container]>;
    pull(name: string, options?: object): Promise<Readable>;
    buildImage(context: Readable, options: { t: string }): Promise<Readable>;
    getEvents(options: { filters: Record<string, string[]>; since?: number; until?: number }): Promise<Readable>;
    getImage(name: string): { inspect(): Promise<{ Config: { Cmd: string[] } }>; remove(): Promise<unknown> };
    listContainers(options: { all: boolean; filters?: Record<string, string[]> }): Promise<{ Id: string }[]>;
  }
}
