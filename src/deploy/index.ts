// Purpose: deploys: the applications of a compose file are built on a device, put in force there, and followed.
// Owns: what of a compose file is built, contexts, names of images, what is done on the device in which order.
// Must not: speak SSH or keep applications itself: the device's own engine and keeper do, through their command line.
export { readDeployment, type Build, type Deployment } from './compose.ts';
export { readContext, type Context } from './context.ts';
export { deploy, staleServices, type Deployed, type DeployOptions } from './deploy.ts';
export { openDevice, type Device } from './device.ts';
export { emitYaml } from './emit.ts';
export { contextTag, imageName, unusedImages } from './names.ts';
export { deploymentStamp, findCompose } from './watch.ts';
