import { createHash } from 'node:crypto';
import { readEnvFile } from '../../../src/engine/compose/env-file.ts';
import { interpolate } from '../../../src/engine/compose/interpolate.ts';
import { ComposeError, readProject } from '../../../src/engine/compose/read-project.ts';
import type { Surroundings } from '../../../src/engine/compose/surroundings.ts';
import { readYaml, YamlError } from '../../../src/engine/compose/yaml/index.ts';
import { must, type Target } from './fuzz.ts';

const files = [
  'name: shop\nservices:\n  web: &base\n    image: "web:${TAG:-1}"\n    ports: ["80:8080", 443:8443/udp]\n    command: [a, "b c", \'d\']\n    environment: {A: 1, B: yes}\n    depends_on: { db: { condition: service_healthy } }\n    healthcheck: {test: [CMD, ready], interval: 5s}\n'
    + '  db:\n    <<: *base\n    image: db\n    volumes: ["rows:/rows:ro", {type: bind, source: ./x, target: /x}]\n    deploy: {resources: {limits: {cpus: "0.5", memory: 64M}}}\nvolumes: {rows: }\n',
  'services:\n  one:\n    image: one\n    command: >-\n      folded\n      text\n\n      more\n    entrypoint: |\n      literal\n       text\n    env_file: [.env, {path: other, required: false}]\n    networks: {front: {ipv4_address: 10.9.0.2, aliases: [a]}}\n    ulimits: {nofile: {soft: 1, hard: 2}}\n    logging: {driver: json-file, options: {max-size: 1m}}\n'
    + 'networks: {front: {ipam: {config: [{subnet: 10.9.0.0/24}]}}}\nconfigs: {c: {content: "x"}}\nsecrets: {s: {file: ./s}}\nx-mine: {a: [1, 2]}\n',
];
const words = ['services:', 'image: ', '\n  ', '\n    ', '- ', ': ', '&a ', '*a', '<<: ', '{', '}', '[', ']', '|', '>', '>-', '|+2', '"', "'", '#', '---', '...', '!x ', '? ', '${', '${A:-', '$', '\t', '~', '"\\u12', 'deploy:'];

const surroundings: Surroundings = {
  file: '/apps/compose.yaml', folder: '/apps', contents: '/state',
  readText: (path) => (path.endsWith('/.env') || path.endsWith('/other') ? 'A=1\nB="two"\n' : undefined),
  hashFile: () => 'f'.repeat(64),
  hash: (text) => createHash('sha256').update(text).digest('hex'),
};
const inWords = (error: unknown): boolean => error instanceof Error && error.constructor === Error;

export const COMPOSE: readonly Target[] = [
  { name: 'YAML', corpus: [...files, `a: ${'['.repeat(50_000)}`, `${'- '.repeat(50_000)}x`, `a: ${'{a: '.repeat(50_000)}`], words, refusal: (error) => error instanceof YamlError, run: readYaml },
  { name: 'compose files', corpus: files, words, refusal: (error) => error instanceof ComposeError, run: (input) => readProject(input, surroundings) },
  { name: 'variables in compose files', corpus: ['a $B ${C} ${D:-e ${F}} $$ ${G?h} ${I:+j}', '${A:+'.repeat(2000) + '}'.repeat(2000)], words: ['$', '${', '}', ':-', ':?', ':+', '${A:-'], refusal: inWords, run: (input) => must(!interpolate(input, () => 'v', () => undefined).includes('\u0000') || input.includes('\u0000'), 'a character from nowhere') },
  { name: '.env files', corpus: ['A=1\nexport B="x\\n${A}"\n# c\nC=\'raw $A\'\nD: e\nF\n', '\ufeffA="several\nlines"\r\n'], words: ['=', '"', "'", '\n', 'export ', '#', '${'], refusal: inWords, run: (input) => void [readEnvFile(input, () => undefined), readEnvFile(input, () => undefined, true)] },
];
