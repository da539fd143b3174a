import { EngineError } from '../error.ts';

const ADJECTIVES = [
  'agile', 'ample', 'bold', 'brisk', 'calm', 'clever', 'crisp', 'deep', 'eager', 'fair', 'fleet', 'gentle', 'happy', 'keen', 'lively', 'mellow',
  'nimble', 'noble', 'quick', 'quiet', 'sleek', 'steady', 'swift', 'wise',
];
const ANIMALS = [
  'beluga', 'bowhead', 'dolphin', 'dugong', 'gannet', 'gull', 'humpback', 'kelp', 'krill', 'limpet', 'manatee', 'marlin', 'narwhal', 'orca', 'osprey',
  'otter', 'petrel', 'plaice', 'porpoise', 'puffin', 'rorqual', 'seal', 'tern', 'walrus',
];
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Without the slash that old clients put in front. Throws 'invalid'. */
export function checkContainerName(text: string): string {
  const name = text.replace(/^\//, '');
  if (!NAME.test(name)) throw new EngineError('invalid', 'NAME_INVALID', `Invalid container name (${text}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  return name;
}

/** A name that is free; `random` gives hexadecimal digits. */
export function inventName(isTaken: (name: string) => boolean, random: (countBytes: number) => string): string {
  for (let attempt = 0; ; attempt += 1) {
    const digits = random(4);
    const adjective = ADJECTIVES[Number.parseInt(digits.slice(0, 3), 16) % ADJECTIVES.length] ?? '';
    const animal = ANIMALS[Number.parseInt(digits.slice(3, 6), 16) % ANIMALS.length] ?? '';
    const name = `${adjective}_${animal}${attempt < 4 ? '' : digits.slice(6)}`;
    if (!isTaken(name)) return name;
  }
}
