FROM busybox:lab
ARG SIGNAL=SIGUSR1
STOPSIGNAL $SIGNAL
#> inspect .Config.StopSignal
#> is "SIGUSR1"
