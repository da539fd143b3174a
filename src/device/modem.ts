import { connectQmp } from './qmp.ts';

/** Serial numbers of the two USB serial ports, by which udev tells them apart. */
export const modemSerials = { modem: 'minke-modem', far: 'minke-far' } as const;

/** A modem's serial port on USB, whose other end is a second port of the same board: what runs there is the modem. */
export interface ModemPort {
  /** Both ends. */
  plugIn(): Promise<void>;
  /** The modem's end alone. */
  pullOut(): Promise<void>;
  /** The modem's end again. */
  plugInAgain(): Promise<void>;
}

/** @param socket QEMU's control socket, on the host, of a board with a USB controller; QEMU knows the folder of its disk as /disk */
export function modemPort(socket: string): ModemPort {
  const line = { type: 'unix', data: { path: '/disk/modem.sock' } };
  const chardev = (id: string, server: boolean): [string, Record<string, unknown>] => ['chardev-add', { id, backend: { type: 'socket', data: { addr: line, server, ...(server ? { wait: false } : {}) } } }];
  const port = (end: 'modem' | 'far'): [string, Record<string, unknown>] => ['device_add', { driver: 'usb-serial', id: `${end}-device`, chardev: end, serial: modemSerials[end] }];
  const talk = async (...commands: [command: string, words: Record<string, unknown>][]): Promise<void> => {
    const qmp = await connectQmp(socket);
    try {
      for (const [command, words] of commands) await qmp.execute(command, words);
    } finally {
      qmp.close();
    }
  };
  return {
    plugIn: () => talk(chardev('far', true), chardev('modem', false), port('far'), port('modem')),
    pullOut: () => talk(['device_del', { id: 'modem-device' }]),
    plugInAgain: () => talk(port('modem')),
  };
}
