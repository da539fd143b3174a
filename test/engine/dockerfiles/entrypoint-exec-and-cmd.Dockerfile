FROM busybox:lab
ENTRYPOINT ["echo", "always"]
CMD ["by default"]
#> start
#> prints always by default
#> start given instead
#> prints always given instead
