import { createContainer, parseCreateRequest, removeContainer, type Container, type ContainerBase, type ContainerContext } from '../containers/index.ts';
import { messageOf } from '../error.ts';
import type { Root } from '../ports/index.ts';

/** Containers and folders of one build. All go when it ends, and after a crash with the next start. */
export interface Workshop {
  /** For unfinished files. */
  readonly folder: string;
  /** In memory where /run is, for what must not reach a disk. */
  readonly secretFolder: string;
  /** `body`: as that of a create request. */
  make(base: ContainerBase, body: object): Promise<Container>;
  remove(container: Container): Promise<void>;
  /** Files of an image, mounted until the build ends; `path` is where. */
  open(base: ContainerBase): Promise<{ root: Root; path: string }>;
  /** It stays after the build, for somebody to look at. */
  release(container: Container): void;
  close(): Promise<void>;
}

const PREFIX = 'build-';

export async function openWorkshop(context: ContainerContext, buildFolder: string): Promise<Workshop> {
  const { system, paths, collection, rootfs } = context;
  const { files, machine } = system;
  const session = machine.randomHex(6);
  const journal = `${buildFolder}/running/${session}`;
  const folder = `${paths.temporary}/build-${session}`;
  const secretFolder = `${paths.execRoot}/build-${session}`;
  const containers = new Set<Container>();
  const opened = new Map<string, { root: Root; path: string }>();
  let count = 0;
  files.mkdirs(`${buildFolder}/running`, 0o700);
  // Durable before the first container is, so that none can outlive a crash.
  await files.replaceFile(journal, '', 0o600);
  files.mkdirs(folder, 0o700);

  const make: Workshop['make'] = async (base, body) => {
    count += 1;
    const { id } = await createContainer(context, `${PREFIX}${session}-${count}`, parseCreateRequest(body), base);
    const container = collection.find(id);
    containers.add(container);
    return container;
  };
  const remove: Workshop['remove'] = async (container) => {
    containers.delete(container);
    if (collection.all().includes(container)) await removeContainer(context, container, { force: true, volumes: true });
  };

  return {
    folder,
    secretFolder,
    make,
    remove,
    async open(base) {
      const key = base.diffIds.join(' ');
      const present = opened.get(key);
      if (present !== undefined) return present;
      const container = await make({ ...base, config: {} }, { Cmd: ['#(nop)'], HostConfig: { NetworkMode: 'none' } });
      const path = rootfs.mount(container.id, base.diffIds);
      const fresh = { root: files.openRoot(path), path };
      opened.set(key, fresh);
      return fresh;
    },
    release: (container) => void containers.delete(container),
    async close() {
      for (const { root } of opened.values()) root.close();
      const clean = async (what: string, action: () => Promise<unknown>): Promise<boolean> => {
        try {
          await action();
          return true;
        } catch (error) {
          system.reporter.log('warn', `what a build leaves could not be removed: ${what}`, { error: messageOf(error) });
          return false;
        }
      };
      let clear = true;
      for (const container of containers) clear = (await clean(container.id, () => remove(container))) && clear;
      clear = (await clean(folder, () => files.removeTree(folder))) && clear;
      clear = (await clean(secretFolder, () => files.removeTree(secretFolder))) && clear;
      // The next start tries again what could not be done now.
      if (clear) files.unlink(journal);
    },
  };
}

/** Clears away what builds that were cut short have left. */
export async function clearWorkshops(context: ContainerContext, buildFolder: string): Promise<void> {
  const { system, paths, collection } = context;
  const { files } = system;
  if (!files.exists(`${buildFolder}/running`)) return;
  for (const { name: session } of files.readdir(`${buildFolder}/running`)) {
    try {
      for (const container of collection.all()) {
        if (container.record.name.startsWith(`${PREFIX}${session}-`)) await removeContainer(context, container, { force: true, volumes: true });
      }
      await files.removeTree(`${paths.execRoot}/build-${session}`);
      files.unlink(`${buildFolder}/running/${session}`);
    } catch (error) {
      system.reporter.log('warn', 'what a build left could not be removed', { session, error: messageOf(error) });
    }
  }
}
