import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import type { Outcome } from '../support/lab.ts';
import { serveRegistry } from '../support/lab-registry.ts';
import type { TestRegistry } from '../support/registry.ts';
import { rootfsTar } from '../support/rootfs-tar.ts';

describeLab('search', (lab) => {
  const registries: TestRegistry[] = [];
  const ours = async (...args: string[]): Promise<Outcome> => {
    const child = lab.spawn([process.env['OSBUILD_ENGINE_BINARY'] ?? '', 'search', ...args]);
    let [stdout, stderr] = ['', ''];
    child.stdout?.on('data', (data: Buffer) => (stdout += data.toString()));
    child.stderr?.on('data', (data: Buffer) => (stderr += data.toString()));
    const code = await new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? -1)));
    return { code, stdout, stderr };
  };
  /** Both clients; they must not differ. */
  const search = async (...args: string[]): Promise<Outcome> => {
    const outcome = await ours(...args);
    expect(outcome).toEqual(await lab.dockerAsync('search', ...args));
    return outcome;
  };

  beforeAll(async () => {
    const index = [
      { name: 'team/tool', description: 'A tool\nof the team, with a description that is far too long for a table', star_count: 3 },
      { name: 'tool', description: 'The tool', star_count: 70, is_official: true }, { name: 'other', star_count: 1 },
    ];
    registries.push(await serveRegistry(lab, 5000, { index }), await serveRegistry(lab, 5001, { auth: { kind: 'token', user: 'me', password: 'secret' } }));
    for (const name of ['a/tool', 'b/tool', 'c', 'd/toolbox', 'e']) registries[1]?.putImage(name, 'latest', [{ tar: rootfsTar() }]);
  });
  afterAll(async () => {
    for (const registry of registries) await registry.close();
  });

  it('asks the search of a registry that has one', async () => {
    expect((await search('localhost:5000/tool')).stdout).toBe(
      'NAME        DESCRIPTION                                     STARS     OFFICIAL\nteam/tool   A tool of the team, with a description that …   3         \ntool        The tool                                        70        [OK]\n');
    expect((await search('--no-trunc', '--format', '{{.Name}}: {{.Description}}', 'localhost:5000/team')).stdout).toBe('team/tool: A tool of the team, with a description that is far too long for a table\n');
    expect((await search('--filter', 'stars=5', '--format', '{{.Name}}', 'localhost:5000/tool')).stdout).toBe('tool\n');
    expect((await search('--filter', 'is-official=false', '--format', '{{.Name}}', 'localhost:5000/tool')).stdout).toBe('team/tool\n');
    expect((await search('--limit', '1', '--format', '{{.Name}}', 'localhost:5000/t')).stdout).toBe('team/tool\n');
  });

  it('goes through the names of a registry that has none, page by page, with the login that it wants', async () => {
    // The docker command line asks for a password here.
    expect((await ours('localhost:5001/tool')).stderr).toContain('the search for localhost:5001/tool failed');
    await lab.dockerAsync('login', '-u', 'me', '-p', 'secret', 'localhost:5001');
    expect((await search('--format', '{{.Name}}', 'localhost:5001/tool')).stdout).toBe('localhost:5001/a/tool\nlocalhost:5001/b/tool\nlocalhost:5001/d/toolbox\n');
  });

  it('refuses limits and filters that docker refuses', async () => {
    expect((await search('--limit', '101', 'localhost:5000/tool')).stderr).toContain('limit 101 is outside the range of [1, 100]');
    expect((await search('--filter', 'stars=many', 'localhost:5000/tool')).stderr).toContain("invalid filter 'stars=[many]'");
    expect((await search('--filter', 'colour=red', 'localhost:5000/tool')).code).toBe(1);
    expect((await search('localhost:5999/tool')).stderr).toContain('connection refused');
  });
});
