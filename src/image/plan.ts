import type { Machine } from '../model/index.ts';
import { factoryIdentity } from './identity.ts';
import { partition, planPartitions } from './partition-table.ts';

/** Variables of the initrd's scripts (/etc/minke/initrd.conf). */
export function planInitrdSettings(name: string, machine: Machine): Record<string, string> {
  const layout = planPartitions(name, machine.disk);
  const identity = factoryIdentity(name);
  const number = (part: Parameters<typeof partition>[1]): string => String(partition(layout, part).number);
  return {
    machine: name,
    root_type: 'erofs',
    restart_delay: '30',
    table: layout.table,
    disk_id: layout.diskId,
    boot_volume_id: identity.bootVolumeId,
    state_uuid: identity.stateUuid,
    data_uuid: identity.dataUuid,
    root_a_partition: number('rootA'),
    root_b_partition: number('rootB'),
    state_partition: number('state'),
    data_partition: number('data'),
  };
}

/** Kernel parameters of an image: the board's own first, then ours. */
export function commandLineOf(machine: Machine, mode: 'development' | 'production'): string[] {
  return [
    ...(machine.kernel.commandLine ?? []),
    // A primary table that a power cut damaged does not hide the copy at the disk's end.
    ...(machine.disk.table === 'gpt' ? ['gpt'] : []),
    // A kernel that fails must not stand still. Partitions are mounted by our initrd alone.
    'panic=10',
    'systemd.gpt_auto=0',
    mode === 'production' ? 'quiet' : 'loglevel=6',
  ];
}
