// Purpose: kernels and boot loaders from source, and files from elsewhere, for boards whose parts Debian does not package.
// Owns: the tools that build them, kernel configurations, their tasks and what carries these out.
// Must not: choose versions or mirrors, know images, or run anything outside of a tools tree.
export { sourceExecutors } from './executors.ts';
export { planKernel, planUboot, recipeFragmentFiles, type FragmentFile } from './plan.ts';
export { sourceBuildPackages } from './tools.ts';
