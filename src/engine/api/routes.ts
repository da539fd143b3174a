import * as archive from './archive.ts';
import { build, pruneBuilds } from './build.ts';
import { check } from './check.ts';
import { commit } from './commit.ts';
import * as containers from './containers.ts';
import type { ApiContext } from './context.ts';
import { createDelta } from './delta.ts';
import { distribution } from './distribution.ts';
import * as exec from './exec.ts';
import * as images from './images.ts';
import * as networks from './networks.ts';
import { login } from './pull.ts';
import { pushImage } from './push.ts';
import type { Route } from './router.ts';
import { saveImage, saveImages } from './save.ts';
import { search } from './search.ts';
import { stats } from './stats.ts';
import * as streams from './streams.ts';
import * as swarm from './swarm.ts';
import * as system from './system.ts';
import * as volumes from './volumes.ts';

/** The whole API. More special patterns come first. */
export const ROUTES: readonly Route<ApiContext>[] = [
  ['GET', '/_ping', system.ping],
  ['GET', '/version', system.version],
  ['GET', '/info', system.info],
  ['GET', '/events', system.events],
  ['GET', '/system/df', system.diskUsage],
  ['POST', '/system/check', check],
  ['POST', '/auth', login],
  ['GET', '/distribution/{name*}/json', distribution],

  ['GET', '/containers/json', containers.list],
  ['POST', '/containers/create', containers.create],
  ['POST', '/containers/prune', containers.prune],
  ['GET', '/containers/{id*}/json', containers.inspect],
  ['POST', '/containers/{id}/start', containers.start],
  ['POST', '/containers/{id}/stop', containers.stop],
  ['POST', '/containers/{id}/restart', containers.restart],
  ['POST', '/containers/{id}/kill', containers.kill],
  ['POST', '/containers/{id}/pause', containers.pause],
  ['POST', '/containers/{id}/unpause', containers.unpause],
  ['POST', '/containers/{id}/rename', containers.rename],
  ['POST', '/containers/{id}/update', containers.update],
  ['GET', '/containers/{id}/changes', containers.changes],
  ['GET', '/containers/{id}/top', containers.top],
  ['GET', '/containers/{id}/stats', stats],
  ['HEAD', '/containers/{id}/archive', archive.stat],
  ['GET', '/containers/{id}/archive', archive.read],
  ['PUT', '/containers/{id}/archive', archive.write],
  ['GET', '/containers/{id}/export', archive.exportContainer],
  ['DELETE', '/containers/{id*}', containers.remove],
  ['POST', '/containers/{id}/wait', streams.wait],
  ['POST', '/containers/{id}/attach', streams.attach],
  ['GET', '/containers/{id}/attach/ws', streams.attachWebSocket],
  ['POST', '/containers/{id}/resize', streams.resize],
  ['GET', '/containers/{id}/logs', streams.logs],

  ['POST', '/containers/{id}/exec', exec.create],
  ['POST', '/exec/{id}/start', exec.start],
  ['POST', '/exec/{id}/resize', exec.resize],
  ['GET', '/exec/{id}/json', exec.inspect],

  ['POST', '/commit', commit],
  ['GET', '/images/json', images.list],
  ['GET', '/images/search', search],
  ['GET', '/images/get', saveImages],
  ['POST', '/images/load', images.load],
  ['POST', '/images/create', images.create],
  ['POST', '/images/delta', createDelta],
  ['POST', '/images/prune', images.prune],
  ['GET', '/images/{name*}/json', images.inspect],
  ['GET', '/images/{name*}/history', images.history],
  ['GET', '/images/{name*}/get', saveImage],
  ['POST', '/images/{name*}/tag', images.tag],
  ['POST', '/images/{name*}/push', pushImage],
  ['DELETE', '/images/{name*}', images.remove],

  ['GET', '/volumes', volumes.list],
  ['POST', '/volumes/create', volumes.create],
  ['POST', '/volumes/prune', volumes.prune],
  ['GET', '/volumes/{name}', volumes.inspect],
  ['DELETE', '/volumes/{name}', volumes.remove],

  ['GET', '/networks', networks.list],
  ['POST', '/networks/create', networks.create],
  ['POST', '/networks/prune', networks.prune],
  ['GET', '/networks/{id}', networks.inspect],
  ['DELETE', '/networks/{id}', networks.remove],
  ['POST', '/networks/{id}/connect', networks.connect],
  ['POST', '/networks/{id}/disconnect', networks.disconnect],

  ['POST', '/build', build],
  ['POST', '/build/prune', pruneBuilds],

  ['POST', '/swarm/leave', swarm.leaveSwarm],
  ['POST', '/swarm/init', swarm.enterSwarm],
  ['POST', '/swarm/join', swarm.enterSwarm],
  ...['swarm', 'services', 'nodes', 'tasks', 'secrets', 'configs'].flatMap((kind): Route<ApiContext>[] =>
    (['GET', 'POST', 'DELETE'] as const).flatMap((method): Route<ApiContext>[] => [
      [method, `/${kind}`, swarm.noManager],
      [method, `/${kind}/{rest*}`, swarm.noManager],
    ]),
  ),
  ['GET', '/plugins', swarm.listPlugins],
  ['GET', '/plugins/{name*}/json', swarm.findPlugin],
  ['POST', '/plugins/{rest*}', swarm.refusePlugin],
];
