import { openRepository, readLogin, type ImageName, type Repository } from '../../registry/index.ts';
import type { Invocation } from '../command.ts';
import { registryClient } from './registry-client.ts';

/** A repository that images are loaded from, with the caller's login. @throws OSB_REGISTRY */
export async function openForReading({ dockerConfig: folder, hostEnvironment: env, signal: cancelled }: Invocation, name: ImageName, insecure: boolean, signal: AbortSignal = cancelled): Promise<Repository> {
  return openRepository(name, { client: registryClient(env, name), login: await readLogin(name, { folder, env }), insecure, push: false, signal });
}
