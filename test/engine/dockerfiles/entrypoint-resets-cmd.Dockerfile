# An entry point takes away the command of the image below, but not one of its own.
FROM busybox:lab AS base
CMD ["from below"]
FROM base
ENTRYPOINT ["echo", "entry"]
#> start
#> prints entry
