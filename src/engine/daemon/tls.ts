import { EngineError, messageOf } from '../error.ts';
import type { Connection, ListenAddress, System, TlsIdentity } from '../ports/index.ts';
import type { DaemonSettings } from './settings.ts';

const HANDSHAKE_MS = 10_000;

/**
 * What TCP sockets show to their clients. Undefined when there are none, or when the user wants them bare. Throws 'invalid' when nothing was said about
 * TLS, or files are missing or are no PEM.
 */
export function readIdentity({ files, sockets }: Pick<System, 'files' | 'sockets'>, { tls }: DaemonSettings, addresses: readonly ListenAddress[]): TlsIdentity | undefined {
  const verify = tls.verify === true;
  const on = verify || tls.on === true;
  const tcp = addresses.find(({ kind }) => kind === 'tcp');
  if (!on) {
    if (tcp !== undefined && tls.on === undefined && tls.verify === undefined) {
      throw invalid('a TCP socket without TLS makes everyone who reaches it root on this machine', 'use --tlsverify with --tlscacert, --tlscert and --tlskey, a unix socket by way of ssh, or say --tls=false');
    }
    return undefined;
  }
  const pem = (flag: string, path: string, marker: RegExp): string => {
    if (path === '') throw invalid(`TLS needs --${flag}`, 'name a PEM file');
    let text: string;
    try {
      text = files.readText(path, 1024 * 1024);
    } catch (error) {
      throw invalid(`--${flag}: cannot read ${path}: ${messageOf(error)}`);
    }
    if (!marker.test(text)) throw invalid(`--${flag}: ${path} is no PEM file of the kind that is wanted`);
    return text;
  };
  if (verify) pem('tlscacert', tls.authority, /-BEGIN (TRUSTED )?CERTIFICATE-/);
  const certificate = pem('tlscert', tls.certificate, /-BEGIN CERTIFICATE-/);
  const key = pem('tlskey', tls.key, /-BEGIN [A-Z ]*PRIVATE KEY-/);
  if (/ENCRYPTED/.test(key)) throw invalid(`--tlskey: ${tls.key} has a passphrase, which nobody could type`);
  return { certificate, key, clients: verify ? sockets.trust([tls.authority]) : undefined, timeoutMs: HANDSHAKE_MS };
}

/** `serve` behind a handshake; connections that do not pass it are closed, which the log tells at level debug: strangers knock at every port. */
export function behindTls({ sockets, reporter }: Pick<System, 'sockets' | 'reporter'>, identity: TlsIdentity, serve: (connection: Connection) => void): (connection: Connection) => void {
  return (connection) => {
    sockets.secureServer(connection, identity).then(
      () => serve(connection),
      (error: unknown) => {
        connection.close();
        reporter.log('debug', 'a client did not get through TLS', { error: messageOf(error) });
      },
    );
  };
}

function invalid(message: string, hint?: string): EngineError {
  return new EngineError('invalid', 'DAEMON_OPTION', message, hint === undefined ? {} : { hint });
}
