# What is written into a volume after its VOLUME instruction is lost; what was there before is in every new one.
FROM busybox:lab
RUN mkdir /kept && echo before > /kept/file
VOLUME ["/kept", "/other place"]
RUN echo lost > /kept/late
#> sh cat /kept/file; ls /kept
#> prints before
#> prints file
#> inspect .Config.Volumes
#> is {"/kept":{},"/other place":{}}
