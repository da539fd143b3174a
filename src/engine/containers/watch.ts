import type { Container } from './collection.ts';
import type { ContainerContext } from './context.ts';
import { watchLog } from './log-rotation.ts';

/** conmon ends when the container has ended and its exit code is on file; it need not be our child. */
export function watchContainer(context: ContainerContext, container: Container): void {
  const watch = context.system.processes.watch(container.record.state.conmonPid);
  const endLog = watchLog(context, container);
  let current = true;
  container.stopWatching = () => {
    current = false;
    watch.close();
    endLog();
  };
  const wait = async (): Promise<void> => {
    await watch.ended;
    if (current) context.life.ended(container);
  };
  void wait();
}
