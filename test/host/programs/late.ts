// A module by itself: it is loaded when a program imports it, not before.
export const loadedBy = (name: string): string => `loaded by ${name}`;

export function lateThrower(): never {
  throw new Error('thrown late');
}
