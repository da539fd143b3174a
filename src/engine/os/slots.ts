export type Slot = 'A' | 'B';

export const otherSlot = (slot: Slot): Slot => (slot === 'A' ? 'B' : 'A');

export const isSlot = (text: string | undefined): text is Slot => text === 'A' || text === 'B';
