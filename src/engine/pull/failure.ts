import { EngineError, messageOf } from '../error.ts';
import { familiarName, familiarRepository, type Reference } from '../images/index.ts';
import { isTransient, RegistryError } from '../registry/index.ts';

/** What a client is told of a pull that failed, in Docker's words. */
export function pullFailure(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error;
  const name = familiarRepository(reference);
  const because = { cause: error };
  switch (error.code) {
    case 'DENIED':
      return new EngineError('not-found', 'PULL_DENIED', `pull access denied for ${name}, repository does not exist or may require 'docker login': ${error.message}`, because);
    case 'MANIFEST_UNKNOWN':
      return new EngineError('not-found', 'MANIFEST_UNKNOWN', `manifest for ${familiarName(reference)} not found: ${error.message}`, because);
    case 'NAME_UNKNOWN':
      return new EngineError('not-found', 'REPOSITORY_UNKNOWN', `repository ${name} not found: ${error.message}`, because);
    case 'CANCELLED':
      return new EngineError('unavailable', 'PULL_CANCELLED', error.message, because);
    case 'TLS_VERIFY':
    case 'TLS_PROTOCOL':
      return new EngineError('internal', 'REGISTRY_TLS', error.message, { ...because, hint: `put its authority into /etc/minke/certs.d/${reference.domain}/ca.crt, or name it with --insecure-registry` });
    default:
      return error.status === 404
        ? new EngineError('not-found', 'MANIFEST_UNKNOWN', `manifest for ${familiarName(reference)} not found: ${error.message}`, because)
        : new EngineError('internal', 'REGISTRY_FAILED', messageOf(error), because);
  }
}

/** Whether a later pull may well get further: what this one has brought is worth keeping. */
export function worthKeeping(error: unknown): boolean {
  return isTransient(error) || (error instanceof RegistryError && (error.code === 'CANCELLED' || error.code === 'UNAUTHORIZED' || error.code === 'DNS_NOT_FOUND'));
}
