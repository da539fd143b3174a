import { expect, test } from 'vitest';
import { lostTimer } from '../../src/device/emulator.ts';

test('a processor that QEMU has left without its timer is told from a board that is slow', () => {
  const seen = [
    '[   31.69] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:',
    "[   31.72] rcu: rcu_preempt kthread timer wakeup didn't happen for 5249 jiffies! g-939 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x402\r",
    '[   31.73] rcu: \tPossible timer handling issue on cpu=0 timer-softirq=20',
  ];
  expect(lostTimer(seen.join('\n'))).toMatch(/^QEMU lost the timer interrupt of a processor \(rcu: rcu_preempt kthread timer wakeup didn't happen for 5249 jiffies!.*0x402\)$/);
  // A processor that works too hard for the kernel's patience: it starves the kernel's thread, and its timer is there.
  expect(lostTimer(`${seen[0]}\nrcu: rcu_preempt kthread starved for 5250 jiffies! g-939 f0x2 RCU_GP_WAIT_FQS(5) ->state=0x0 ->cpu=1`)).toBeNull();
  expect(lostTimer('')).toBeNull();
});
