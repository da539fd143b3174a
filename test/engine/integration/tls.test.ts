import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE, labObstacle, type Outcome } from '../support/lab.ts';

const obstacle = labObstacle() ?? (spawnSync('openssl', ['version']).status === 0 ? undefined : 'openssl is not installed');
const PORT = 2376;

describeLab('the API behind TLS', (lab) => {
  const pem = (name: string): string => join(lab.folder, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: lab.folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const authority = (name: string): void => {
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
    openssl('req', '-x509', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-days', '2', '-out', `${name}.pem`);
  };
  const certificate = (name: string, signer: string, usage: string): void => {
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
    openssl('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
    writeFileSync(pem(`${name}.ext`), `extendedKeyUsage=${usage}\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n`);
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${signer}.pem`, '-CAkey', `${signer}.key`, '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`);
  };
  const client = (program: string, name: string, ...args: string[]): Outcome =>
    lab.run([program, '-H', `tcp://127.0.0.1:${PORT}`, '--tlsverify', '--tlscacert', pem('ca.pem'), '--tlscert', pem(`${name}.pem`), '--tlskey', pem(`${name}.key`), ...args]);
  const minke = process.env['OSBUILD_ENGINE_BINARY'] ?? '';
  const restart = async (...flags: string[]): Promise<void> => {
    await lab.signalDaemon('SIGTERM');
    await lab.startDaemon('-H', `tcp://127.0.0.1:${PORT}`, ...flags);
  };
  const files = (): string[] => ['--tlscert', pem('server.pem'), '--tlskey', pem('server.key')];

  beforeAll(() => {
    authority('ca');
    authority('stranger');
    certificate('server', 'ca', 'serverAuth');
    certificate('client', 'ca', 'clientAuth');
    certificate('intruder', 'stranger', 'clientAuth');
  });

  it('is served to clients with a certificate, with attached streams in both directions', async () => {
    await restart('--tlsverify', '--tlscacert', pem('ca.pem'), ...files());
    for (const program of ['docker', minke]) {
      expect(client(program, 'client', 'version', '--format', '{{.Server.APIVersion}}')).toMatchObject({ code: 0, stdout: '1.47\n' });
      const [, ...args] = ['', '-H', `tcp://localhost:${PORT}`, '--tlsverify', '--tlscacert', pem('ca.pem'), '--tlscert', pem('client.pem'), '--tlskey', pem('client.key'), 'run', '--rm', '-i', IMAGE, 'wc', '-c'];
      expect(lab.run([program, ...args], 'x'.repeat(200_000))).toMatchObject({ code: 0, stdout: '200000\n' });
      expect(client(program, 'client', 'run', '--rm', IMAGE, 'sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" y; exit 3')).toMatchObject({ code: 3, stdout: 'y'.repeat(3_000_000) });
    }
    expect(lab.ok('ps', '-aq')).toBe('');
  });

  it('is refused to clients with a wrong certificate or none, and to those that speak plainly', () => {
    for (const program of ['docker', minke]) expect(client(program, 'intruder', 'ps').code, program).not.toBe(0);
    expect(lab.run(['docker', '-H', `tcp://127.0.0.1:${PORT}`, '--tls', 'ps']).code).not.toBe(0);
    expect(lab.run(['docker', '-H', `tcp://127.0.0.1:${PORT}`, 'ps']).code).not.toBe(0);
    expect(client('docker', 'client', 'ps', '-q')).toMatchObject({ code: 0 });
    expect(lab.docker('ps', '-q').code).toBe(0);
  });

  it('needs no certificate of clients with --tls alone', async () => {
    await restart('--tls', ...files());
    expect(lab.run(['docker', '-H', `tcp://localhost:${PORT}`, '--tls', '--tlscacert', pem('ca.pem'), 'version', '--format', '{{.Server.Os}}'])).toMatchObject({ code: 0, stdout: 'linux\n' });
    expect(lab.daemonLog()).toContain('clients need no certificate');
  });

  it('is never had without TLS by accident, and not with files that do not serve', async () => {
    await restart('--tls=false');
    expect(lab.run(['docker', '-H', `tcp://127.0.0.1:${PORT}`, 'ps', '-q'])).toMatchObject({ code: 0 });
    const attempt = (...flags: string[]): Outcome => lab.run([minke, 'daemon', '-H', 'tcp://127.0.0.1:2377', '--data-root', pem('other'), '--exec-root', pem('other-run'), '--pidfile', '', '--bridge', 'none', ...flags]);
    expect(attempt()).toMatchObject({ code: 2, stderr: expect.stringContaining('root on this machine') as string });
    expect(attempt('--tlsverify').stderr).toContain('TLS needs --tlscacert');
    expect(attempt('--tls').stderr).toContain('TLS needs --tlscert');
    expect(attempt('--tls', '--tlscert', '/nowhere.pem', '--tlskey', pem('server.key')).stderr).toContain('cannot read /nowhere.pem');
    expect(attempt('--tls', '--tlscert', pem('server.key'), '--tlskey', pem('server.key')).stderr).toContain('is no PEM file of the kind');
  });
}, { obstacle });
