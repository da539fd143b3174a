import type { Cancellation } from '../ports/index.ts';
import type { Credentials } from './credentials.ts';
import { openRepository, type RegistryContext } from './repository.ts';

/** Asks a registry ('host[:port]' or an address of it) whether it knows the user. Throws RegistryError when not. */
export async function login(context: RegistryContext, serverAddress: string, credentials: Credentials, cancellation: Cancellation): Promise<void> {
  const host = serverAddress.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  const domain = host === '' || host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
  // Whether a mirror would let the user in says nothing.
  const own = { ...context, settings: { ...context.settings, registryMirrors: [] } };
  const registry = await openRepository(own, { domain, path: '' }, credentials, cancellation);
  try {
    await registry.ping();
  } finally {
    registry.close();
  }
}
