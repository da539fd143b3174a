FROM busybox:lab
ARG VERSION=1
LABEL a=1 "b c"="d e" version=$VERSION
LABEL multi="line one \
line two"
LABEL a=2
#> build --build-arg VERSION=7 --label given=outside
#> inspect .Config.Labels
#> is {"a":"2","b c":"d e","given":"outside","multi":"line one line two","version":"7"}
