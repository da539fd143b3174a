import { execFile, execFileSync } from 'node:child_process';

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

export function runDockerCli(args: readonly string[], host: string, environment: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', TZ: 'UTC', ...environment, DOCKER_HOST: host, DOCKER_CONFIG: '/nonexistent' };
    const child = execFile('docker', [...args], { env, timeout: 20_000, encoding: 'utf8' }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
    child.stdin?.end();
  });
}
