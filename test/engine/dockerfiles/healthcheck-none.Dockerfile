FROM busybox:lab AS base
HEALTHCHECK CMD true
FROM base
HEALTHCHECK NONE
#> inspect .Config.Healthcheck
#> is {"Test":["NONE"]}
