# A stage that the target does not want is not built, even if it could not be.
FROM busybox:lab AS base
RUN echo base > /base
FROM busybox:lab AS broken
RUN false
FROM base AS wanted
RUN echo wanted > /wanted
FROM broken AS last
#> build --target wanted
#> sh cat /base /wanted
#> prints base
#> prints wanted
