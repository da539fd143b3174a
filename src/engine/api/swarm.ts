import { EngineError } from '../error.ts';
import type { ApiContext } from './context.ts';
import { sendJson, type ApiRequest } from './request.ts';

/** What only a swarm answers: a manager's routes, as any engine that is in none refuses them. */
export function noManager(): Promise<void> {
  return Promise.reject(new EngineError('unavailable', 'NO_SWARM', 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'));
}

export function leaveSwarm(): Promise<void> {
  return Promise.reject(new EngineError('unavailable', 'NO_SWARM', 'This node is not part of a swarm'));
}

export function enterSwarm(): Promise<void> {
  return Promise.reject(new EngineError('not-implemented', 'SWARM', 'swarm mode is not supported', { hint: 'run containers on this engine itself, several of them with docker-compose' }));
}

/** There are none, and none can be had. */
export function listPlugins(_: ApiContext, request: ApiRequest): Promise<void> {
  return sendJson(request, 200, []);
}

export function findPlugin(_: ApiContext, { params }: ApiRequest): Promise<void> {
  return Promise.reject(new EngineError('not-found', 'NO_SUCH_PLUGIN', `plugin "${params['name'] ?? ''}" not found`));
}

export function refusePlugin(): Promise<void> {
  return Promise.reject(new EngineError('not-implemented', 'PLUGINS', 'plugins are not supported', { hint: 'the drivers bridge (networks) and local (volumes) are built in' }));
}
