import type { Command } from '../command.ts';
import type { CommandGroup } from '../help.ts';
import { completionCommands } from './completion.ts';
import { attachCommand } from './container-attach.ts';
import { copyCommand } from './container-copy.ts';
import { createCommand } from './container-create.ts';
import { execCommand } from './container-exec.ts';
import { killCommand, pauseCommand, removeCommand, renameCommand, restartCommand, stopCommand, unpauseCommand, waitCommand } from './container-lifecycle.ts';
import { containerListCommand } from './container-list.ts';
import { logsCommand } from './container-logs.ts';
import { commitCommand, diffCommand, exportCommand, updateCommand } from './container-misc.ts';
import { portCommand } from './container-port.ts';
import { runCommand } from './container-run.ts';
import { startCommand } from './container-start.ts';
import { statsCommand } from './container-stats.ts';
import { topCommand } from './container-top.ts';
import { daemonCommand } from './daemon.ts';
import { eventsCommand } from './events.ts';
import { buildCommand } from './image-build.ts';
import { deltaCommand } from './image-delta.ts';
import { imageRemoveCommand, importCommand, loadCommand, pullCommand, pushCommand, saveCommand, tagCommand } from './image-actions.ts';
import { historyCommand } from './image-history.ts';
import { imageListCommand } from './image-list.ts';
import { searchCommand } from './image-search.ts';
import { inspectCommands } from './inspect.ts';
import { loginCommand, logoutCommand } from './login.ts';
import { networkConnectCommand, networkCreateCommand, networkDisconnectCommand, networkListCommand, networkRemoveCommand } from './networks.ts';
import { osApplicationsCommand } from './os-applications.ts';
import { osConfigCommand } from './os-config.ts';
import { osCommands } from './os.ts';
import { pruneCommands } from './prune.ts';
import { checkCommand } from './system-check.ts';
import { diskUsageCommand } from './system-df.ts';
import { infoCommand } from './system-info.ts';
import { versionCommand } from './system-version.ts';
import { volumeCreateCommand, volumeListCommand, volumeRemoveCommand } from './volumes.ts';

/** Every verb. The order is that of help's "Common Commands". */
export const commands: readonly Command[] = [
  runCommand, execCommand, containerListCommand, buildCommand, pullCommand, pushCommand, imageListCommand, loginCommand, logoutCommand, versionCommand, infoCommand,
  attachCommand, commitCommand, copyCommand, createCommand, deltaCommand, diffCommand, eventsCommand, exportCommand, historyCommand, importCommand, killCommand, loadCommand, logsCommand,
  pauseCommand, portCommand, removeCommand, renameCommand, restartCommand, imageRemoveCommand, saveCommand, searchCommand, startCommand, statsCommand, stopCommand, tagCommand,
  topCommand, unpauseCommand, updateCommand, waitCommand,
  ...inspectCommands, ...pruneCommands, diskUsageCommand, checkCommand,
  volumeListCommand, volumeCreateCommand, volumeRemoveCommand,
  networkListCommand, networkCreateCommand, networkRemoveCommand, networkConnectCommand, networkDisconnectCommand,
  ...osCommands, osConfigCommand, osApplicationsCommand, ...completionCommands, daemonCommand,
];

export const commandGroups: readonly CommandGroup[] = [
  { name: 'completion', summary: 'Write completion scripts for shells' },
  { name: 'container', summary: 'Manage containers' },
  { name: 'image', summary: 'Manage images' },
  { name: 'network', summary: 'Manage networks' },
  { name: 'os', summary: 'Manage the OS that this device runs' },
  { name: 'system', summary: 'Manage the engine' },
  { name: 'volume', summary: 'Manage volumes' },
];

const noSwarm = 'it has no swarm mode; run containers with a restart policy, or several with docker-compose';

/** Docker's verbs that minke leaves out, and what to do instead. */
export const unsupportedVerbs: Readonly<Record<string, string>> = {
  swarm: noSwarm, service: noSwarm, node: noSwarm, stack: 'it has no swarm mode; bring the same file up with docker-compose',
  secret: 'secrets belong to swarm mode; mount a file with --mount type=bind,readonly', config: 'configs belong to swarm mode; mount a file with --mount type=bind,readonly',
  plugin: 'it takes no plugins; volumes, networks and log drivers are built in', trust: 'it has no content trust; pull by digest (NAME@sha256:…)',
  checkpoint: 'it cannot checkpoint processes; stop and start the container', context: 'it has no contexts; name the daemon with -H or MINKE_HOST',
  manifest: 'it does not edit manifest lists; skopeo or buildah do', buildx: 'it has no BuildKit', builder: 'it has no BuildKit; "build" builds, and "system prune" removes the build cache',
  compose: 'use the docker-compose program, with DOCKER_HOST naming the socket of minke',
  scan: 'it has no scanner', scout: 'it has no scanner', init: 'it makes no project files',
};
