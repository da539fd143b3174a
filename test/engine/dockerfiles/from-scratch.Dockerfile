FROM scratch
COPY one.txt /
LABEL only=this
#> inspect .Config.Labels
#> is {"only":"this"}
#> inspect .RootFS.Layers | len
#> is 1
