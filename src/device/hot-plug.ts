import { connectQmp } from './qmp.ts';

/** A device that is plugged in when the kernel starts, not before. */
export interface HotPlug {
  /** QEMU's control socket, on the host. */
  socket: string;
  /** As for QMP's device_add; `id` names it. */
  device: { driver: string; id: string } & Record<string, string>;
}

/** U-Boot's last words. */
const kernelStarts = /Starting kernel \.\.\./;

/**
 * Returns what is to be fed with the console's text, and plugs the device in at every start of a kernel.
 * QEMU's dwc2 forgets its port when U-Boot has used it: its resets do nothing, and a device that U-Boot has seen is never
 * announced to Linux (hw/usb/hcd-dwc2.c). One that comes later is.
 */
export function plugAtKernelStart({ socket, device }: HotPlug, complain: (message: string) => void): (text: string) => void {
  let seen = '';
  let work: Promise<void> = Promise.resolve();
  const plug = async (): Promise<void> => {
    const qmp = await connectQmp(socket);
    try {
      // After a restart of the board it is still there.
      await qmp.execute('device_del', { id: device.id }).catch(() => undefined);
      await qmp.execute('device_add', device);
    } finally {
      qmp.close();
    }
  };
  return (text) => {
    seen = (seen + text).slice(-200);
    if (!kernelStarts.test(seen)) return;
    seen = '';
    work = work.then(plug).catch((error: unknown) => complain(`${device.driver} could not be plugged in: ${error instanceof Error ? error.message : String(error)}`));
  };
}
