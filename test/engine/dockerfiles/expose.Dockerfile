FROM busybox:lab
ARG PORT=8080
EXPOSE 80 443/tcp 53/udp $PORT
EXPOSE 9000-9002
#> inspect .Config.ExposedPorts
#> is {"443/tcp":{},"53/udp":{},"80/tcp":{},"8080/tcp":{},"9000/tcp":{},"9001/tcp":{},"9002/tcp":{}}
