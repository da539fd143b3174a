import { EngineError } from '../error.ts';
import type { Network } from '../network/index.ts';
import { attachLive, detachLive, freeInsideName, planAttachment } from './attachments.ts';
import type { Container } from './collection.ts';
import type { EndpointRequest } from './config.ts';
import type { ContainerContext } from './context.ts';
import { isLive } from './record.ts';
import { writeEtc } from './etc-files.ts';

/** Connects a container to a network, at once if it runs, else when it starts. */
export function connectContainer(context: ContainerContext, container: Container, network: Network, request: EndpointRequest): Promise<void> {
  return container.queue(async () => {
    const { record } = container;
    const mode = record.endpoint.network;
    if (mode === 'host' || mode.startsWith('container:')) {
      throw new EngineError('forbidden', 'NETWORK_SHARED', 'container sharing network namespace with another container or host cannot be connected to any other network');
    }
    if (mode === 'none') throw new EngineError('forbidden', 'NETWORK_PRIVATE', 'container cannot be connected to multiple networks with one of the networks in private (none) mode');
    if (record.attachments.some(({ networkId }) => networkId === network.record.id)) {
      throw new EngineError('forbidden', 'ALREADY_CONNECTED', `endpoint with name ${record.name} already exists in network ${network.record.name}`);
    }
    const attachment = planAttachment(network, request, freeInsideName(record.attachments), context.system.machine.randomHex(32));
    if (isLive(record.state)) {
      await attachLive(context, container, attachment);
      writeEtc(context, container);
    } else record.attachments.push(attachment);
    await context.collection.save(container);
  });
}

/** Throws 'forbidden' when it is not connected. */
export function disconnectContainer(context: ContainerContext, container: Container, network: Network): Promise<void> {
  return container.queue(async () => {
    const { record } = container;
    const attachment = record.attachments.find(({ networkId }) => networkId === network.record.id);
    if (attachment === undefined) {
      throw new EngineError('forbidden', 'NOT_CONNECTED', `container ${container.id} is not connected to network ${network.record.name}`);
    }
    if (isLive(record.state)) {
      // It is off the network even where the rules of what is left could not be set.
      try {
        await detachLive(context, container, attachment);
      } finally {
        await context.collection.save(container);
      }
      writeEtc(context, container);
    } else record.attachments.splice(record.attachments.indexOf(attachment), 1);
    await context.collection.save(container);
  });
}
