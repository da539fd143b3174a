import { EngineError } from '../error.ts';
import type { Reference } from '../images/index.ts';
import { RegistryError } from '../registry/index.ts';

/** What a client is told of a push that failed, in Docker's words. */
export function pushFailure(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error;
  const because = { cause: error };
  switch (error.code) {
    case 'CANCELLED':
      return new EngineError('unavailable', 'PUSH_CANCELLED', error.message, because);
    case 'TLS_VERIFY':
    case 'TLS_PROTOCOL':
      return new EngineError('internal', 'REGISTRY_TLS', error.message, { ...because, hint: `put its authority into /etc/minke/certs.d/${reference.domain}/ca.crt, or name it with --insecure-registry` });
    default:
      return new EngineError(error.status === 401 || error.status === 403 ? 'unauthorized' : 'internal', 'REGISTRY_FAILED', error.message, because);
  }
}
