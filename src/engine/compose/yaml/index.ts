// Purpose: YAML as compose files use it, as nodes that know their lines.
// Owns: YAML 1.2's syntax and the meaning of its scalars.
// Must not: know what the documents are for.
export { YamlError, type YamlList, type YamlMap, type YamlNode, type YamlScalar } from './node.ts';
export { readYaml } from './read-yaml.ts';
