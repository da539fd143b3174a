FROM busybox:lab
ENV BASE=/srv
WORKDIR $BASE/app
WORKDIR inner
RUN pwd > /said
COPY one.txt .
WORKDIR /not/there/before
#> sh cat /said; ls /srv/app/inner; pwd
#> prints /srv/app/inner
#> prints one.txt
#> prints /not/there/before
