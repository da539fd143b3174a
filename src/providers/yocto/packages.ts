import type { ImageRequest } from '../../model/index.ts';
import { enginePackage } from './project-layer.ts';

/** What bitbake is asked to put into the images, each list sorted. */
export interface YoctoPackages {
  root: string[];
  initrd: string[];
  /** Modules that must be in the image, by the kernel's names with dashes as written in recipes. */
  kernelModules: string[];
}

/** The packages of all recipes, and of the mode. Pure. */
export function packagesOf({ recipes, mode }: Pick<ImageRequest, 'recipes' | 'mode'>): YoctoPackages {
  return {
    root: sorted(recipes.flatMap(({ recipe }) => [...(recipe.packages?.yocto ?? []), ...(recipe[mode]?.packages?.yocto ?? []), ...(recipe.engine === true ? [enginePackage] : [])])),
    initrd: sorted(recipes.flatMap(({ recipe }) => recipe.initrd?.packages?.yocto ?? [])),
    kernelModules: sorted(recipes.flatMap(({ recipe }) => [...(recipe.kernelModules ?? []), ...(recipe.initrd?.modules ?? [])])),
  };
}

/** Recipes that ask for Debian packages and name none of Yocto's: their component would be missing from the image. */
export function recipesWithoutPackages({ recipes }: Pick<ImageRequest, 'recipes'>): string[] {
  return recipes.filter(({ recipe }) => (recipe.packages?.debian ?? []).length > 0 && recipe.packages?.yocto === undefined).map(({ name }) => name);
}

const sorted = (words: string[]): string[] => [...new Set(words)].toSorted();
