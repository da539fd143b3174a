import { familiarName, familiarRepository, parseReference, type Image } from '../images/index.ts';
import type { ApiContext } from './context.ts';

export function imageSummary({ containers, builder }: ApiContext, image: Image): Record<string, unknown> {
  const config = containers.images.config(image.id);
  const sizeBytes = containers.images.sizeBytes(image.id);
  return {
    Id: image.id,
    ParentId: builder.steps.parentOf(image.id),
    RepoTags: tagsOf(image),
    RepoDigests: digestsOf(image),
    Created: seconds(config.created),
    Size: sizeBytes,
    SharedSize: -1,
    VirtualSize: sizeBytes,
    Labels: config.config?.Labels ?? null,
    Containers: -1,
  };
}

export function imageInspect({ containers, builder }: ApiContext, image: Image): Record<string, unknown> {
  const config = containers.images.config(image.id);
  const run = config.config ?? {};
  const sizeBytes = containers.images.sizeBytes(image.id);
  return {
    Id: image.id,
    RepoTags: tagsOf(image),
    RepoDigests: digestsOf(image),
    Parent: builder.steps.parentOf(image.id),
    Comment: config.comment ?? config.history?.at(-1)?.comment ?? '',
    Created: config.created ?? '',
    DockerVersion: config.docker_version ?? '',
    Author: config.author ?? '',
    Config: {
      Hostname: '', Domainname: '', User: run.User ?? '', AttachStdin: false, AttachStdout: false, AttachStderr: false, Tty: false, OpenStdin: false, StdinOnce: false,
      Env: run.Env ?? null, Cmd: run.Cmd ?? null, Image: '', Volumes: run.Volumes ?? null, WorkingDir: run.WorkingDir ?? '', Entrypoint: run.Entrypoint ?? null,
      OnBuild: run.OnBuild ?? null, Labels: run.Labels ?? null,
      ...(run.ExposedPorts == null ? {} : { ExposedPorts: run.ExposedPorts }),
      ...(run.StopSignal === undefined ? {} : { StopSignal: run.StopSignal }),
      ...(run.Healthcheck == null ? {} : { Healthcheck: run.Healthcheck }),
      ...(run.Shell == null ? {} : { Shell: run.Shell }),
    },
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: sizeBytes,
    VirtualSize: sizeBytes,
    GraphDriver: { Name: 'overlay2', Data: {} },
    RootFS: { Type: 'layers', Layers: config.rootfs.diff_ids },
    Metadata: { LastTagTime: containers.images.taggedAt(image.id) ?? '0001-01-01T00:00:00Z' },
  };
}

export function imageHistory({ containers }: ApiContext, image: Image): Record<string, unknown>[] {
  const config = containers.images.config(image.id);
  let layer = 0;
  const lines = (config.history ?? []).map((step) => {
    const diffId = step.empty_layer === true ? undefined : image.diffIds[layer];
    if (step.empty_layer !== true) layer += 1;
    return {
      Id: '<missing>',
      Created: seconds(step.created),
      CreatedBy: step.created_by ?? '',
      Tags: null as string[] | null,
      Size: diffId === undefined ? 0 : (containers.layers.get(diffId)?.sizeBytes ?? 0),
      Comment: step.comment ?? '',
    };
  });
  const top = lines.at(-1);
  if (top !== undefined) {
    top.Id = image.id;
    top.Tags = tagsOf(image);
  }
  return lines.toReversed();
}

export function tagsOf(image: Image): string[] {
  return image.names.map(parseReference).filter(({ tag }) => tag !== undefined).map((reference) => familiarName({ ...reference, digest: undefined }));
}

function digestsOf(image: Image): string[] {
  return image.names.map(parseReference).filter(({ digest }) => digest !== undefined).map((reference) => `${familiarRepository(reference)}@${reference.digest ?? ''}`);
}

function seconds(iso: string | undefined): number {
  const parsed = Date.parse(iso ?? '');
  return Number.isNaN(parsed) ? 0 : Math.floor(parsed / 1000);
}
