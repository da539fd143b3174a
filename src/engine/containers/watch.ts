import type { Container } from './collection.ts';
import type { ContainerContext } from './context.ts';

/** conmon ends when the container has ended and its exit code is on file; it need not be our child. */
export function watchContainer(context: ContainerContext, container: Container): void {
  const watch = context.system.processes.watch(container.record.state.conmonPid);
  let current = true;
  container.stopWatching = () => {
    current = false;
    watch.close();
  };
  const wait = async (): Promise<void> => {
    await watch.ended;
    if (current) context.life.ended(container);
  };
  void wait();
}
