// Three applications as people have them, brought up by Debian's docker compose 2.26: PostgreSQL with a volume, nginx in front
// of replicas, and services that wait for each other's health.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { applicationsObstacle, compose, loadApplications, type Compose } from '../support/applications.ts';
import { describeLab } from '../support/describe-lab.ts';
import { leftovers, waitFor, type Lab } from '../support/lab.ts';

/** Databases and many processes start, on a machine that has other things to do. */
const PATIENCE_MS = 300_000;

const state = (lab: Lab, id: string, field: string): string => lab.ok('inspect', '-f', `{{${field}}}`, id);
const ids = (project: Compose, service: string): string[] => project.ok('ps', '-aq', service).split('\n').filter(Boolean);

describeLab('docker compose', (lab) => {
  beforeAll(() => loadApplications(lab), PATIENCE_MS);
  afterAll(() => {
    for (const project of ['database', 'replicas', 'ordering']) compose(lab, project)('down', '-t', '5', '-v', '--remove-orphans');
  }, PATIENCE_MS);

  it('a database keeps its rows through a crash and from one life to the next', async () => {
    const database = compose(lab, 'database');
    const query = (sql: string): string => database.ok('run', '--rm', '-T', 'client', sql).trim();
    database.ok('up', '-d', '--build', '--wait');
    const [db = ''] = ids(database, 'db');
    query("create table readings as select n, md5(n::text) as value from generate_series(1, 20000) n; create index on readings (value)");
    expect(query('select count(*), md5(string_agg(value, chr(10) order by n)) from readings')).toMatch(/^20000\|/);
    const before = query('select md5(string_agg(value, chr(10) order by n)) from readings');

    // PostgreSQL dies without a word; the restart policy brings it up, and it recovers from its log.
    process.kill(Number(state(lab, db, '.State.Pid')), 'SIGKILL');
    await waitFor(() => state(lab, db, '.RestartCount') === '1', PATIENCE_MS);
    await waitFor(() => state(lab, db, '.State.Health.Status') === 'healthy', PATIENCE_MS);
    expect(database.ok('logs', '--no-color', 'db')).toContain('was not properly shut down');
    expect(query('select md5(string_agg(value, chr(10) order by n)) from readings')).toBe(before);

    database.ok('down');
    expect(lab.ok('volume', 'ls', '-q', '--filter', 'label=com.docker.compose.project=database')).toBe('database_rows');
    database.ok('up', '-d', '--wait');
    expect(query('select md5(string_agg(value, chr(10) order by n)) from readings')).toBe(before);
    expect(database('run', '--rm', '-T', 'client', 'select 1 from nowhere').stderr).toContain('does not exist');
    database.ok('down', '-v');
    expect(lab.ok('volume', 'ls', '-q', '--filter', 'label=com.docker.compose.project=database')).toBe('');
  }, PATIENCE_MS);

  it('replicas share the work behind a proxy, come and go, and are brought back', async () => {
    const replicas = compose(lab, 'replicas');
    const visit = (): string => lab.run(['timeout', '10', 'busybox', 'wget', '-q', '-O', '-', 'http://127.0.0.1:8099/']).stdout.trim();
    const seen = async (wanted: string[]): Promise<void> => {
      const found = new Set<string>();
      await waitFor(() => {
        const name = visit();
        if (wanted.includes(name)) found.add(name);
        return found.size === wanted.length;
      }, PATIENCE_MS);
    };
    const names = (): string[] => ids(replicas, 'web').map((id) => id.slice(0, 12));
    replicas.ok('up', '-d', '--build');
    expect(names()).toHaveLength(2);
    await seen(names());
    replicas.ok('up', '-d', '--scale', 'web=3', '--no-recreate');
    expect(names()).toHaveLength(3);
    await seen(names());
    const [first = ''] = ids(replicas, 'web');
    process.kill(Number(state(lab, first, '.State.Pid')), 'SIGKILL');
    await waitFor(() => state(lab, first, '.RestartCount') === '1' && state(lab, first, '.State.Running') === 'true', PATIENCE_MS);
    await seen([first.slice(0, 12)]);
    replicas.ok('up', '-d', '--scale', 'web=1', '--no-recreate');
    expect(names()).toHaveLength(1);
    await seen(names());
    // The web servers' network leads nowhere else: only the proxy's does.
    expect(lab.ok('network', 'inspect', '-f', '{{.Internal}}', 'replicas_back')).toBe('true');
    expect(replicas.ok('port', 'proxy', '80').trim()).toBe('127.0.0.1:8099');
    replicas.ok('down');
  }, PATIENCE_MS);

  it('services start in the order of what they wait for', () => {
    const ordering = compose(lab, 'ordering');
    ordering.ok('up', '-d');
    const [store = '', migrate = '', worker = ''] = ['store', 'migrate', 'worker'].map((service) => ids(ordering, service)[0] ?? '');
    const time = (id: string, field: string): number => Date.parse(state(lab, id, `.State.${field}`));
    expect(state(lab, store, '.State.Health.Status')).toBe('healthy');
    expect(time(migrate, 'StartedAt') - time(store, 'StartedAt')).toBeGreaterThanOrEqual(2000);
    expect(state(lab, migrate, '.State.ExitCode')).toBe('0');
    expect(time(worker, 'StartedAt')).toBeGreaterThanOrEqual(time(migrate, 'FinishedAt'));
    expect(ordering.ok('logs', '--no-color', '--no-log-prefix', 'worker')).toContain('schema 3');
    expect(ordering.ok('exec', '-T', 'store', 'redis-cli', 'get', 'schema')).toBe('3\n');
    expect(ordering.ok('top', 'worker')).toContain('sleep 1000');
    ordering.ok('down', '-t', '5');
  }, PATIENCE_MS);

  it('nothing starts behind a task that failed', () => {
    const ordering = compose(lab, 'ordering', { BROKEN: 'yes' });
    const { code, stderr } = ordering('up', '-d');
    expect(code).not.toBe(0);
    expect(stderr).toContain(`didn't complete successfully: exit 1`);
    expect(state(lab, ids(ordering, 'worker')[0] ?? '', '.State.Status')).toBe('created');
    ordering.ok('down', '-t', '5', '-v');
  }, PATIENCE_MS);

  it('leaves nothing behind', () => {
    expect(lab.ok('ps', '-aq')).toBe('');
    expect(lab.ok('network', 'ls', '--filter', 'type=custom', '-q')).toBe('');
    expect(leftovers(lab)).toEqual([]);
  });
}, { obstacle: applicationsObstacle() });
