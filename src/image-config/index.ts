// Purpose: config.json inside disk images that have been built.
// Owns: where it stands in an image, putting another one there so that the image is whole at any moment, the papers beside it, keys and values as people write them.
// Must not: build anything, or decide what a configuration may say.
export { checkText, valueOf, withoutValue, withValue } from './values.ts';
export { readFromImage, replaceInImage, type ImageTools } from './image-file.ts';
