FROM busybox:lab AS base
HEALTHCHECK --interval=1m --timeout=3s --start-period=10s --retries=5 CMD test -e /ok || exit 1
FROM base AS exec
HEALTHCHECK CMD ["true"]
FROM base
#> inspect .Config.Healthcheck
#> is {"Test":["CMD-SHELL","test -e /ok || exit 1"],"Interval":60000000000,"Timeout":3000000000,"StartPeriod":10000000000,"Retries":5}
