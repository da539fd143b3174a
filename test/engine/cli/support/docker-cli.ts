import { execFileSync, spawn } from 'node:child_process';
import { emptyHome } from './empty-home.ts';

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Version of the docker command line on this machine, or null; nothing is asked of any daemon. */
export function dockerCliVersion(): string | null {
  try {
    const text = execFileSync('docker', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return /version (\d+\.\d+\.\d+)/.exec(text)?.[1] ?? null;
  } catch {
    return null;
  }
}

/** Why nothing can be compared with Docker's own command line here, or null. Its words change between major versions. */
export function dockerCliObstacle(): string | null {
  const version = dockerCliVersion();
  if (version === null) return "needs Docker's command line (docker) on the PATH";
  return Number(version.split('.')[0]) >= 28 ? null : `needs Docker's command line 28 or newer, found ${version}`;
}

export interface ProcessOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  readonly stdin?: string;
  readonly argv0?: string;
}

/** Runs a client as a process with nothing but pipes. */
export function runClient(program: string, args: readonly string[], host: string, options: ProcessOptions = {}): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], {
      ...(options.argv0 === undefined ? {} : { argv0: options.argv0 }), ...(options.workingDirectory === undefined ? {} : { cwd: options.workingDirectory }), timeout: 20_000,
      env: { PATH: process.env['PATH'] ?? '', HOME: emptyHome, TZ: 'UTC', ...options.environment, DOCKER_HOST: host, DOCKER_CONFIG: emptyHome },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
    child.stdin.on('error', () => undefined).end(options.stdin ?? '');
  });
}

export function runDockerCli(args: readonly string[], host: string, options: ProcessOptions = {}): Promise<CommandResult> {
  return runClient('docker', args, host, options);
}
