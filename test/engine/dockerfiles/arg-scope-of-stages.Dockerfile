FROM busybox:lab AS first
ARG WHERE=first
RUN echo "<$WHERE>" > /one
FROM busybox:lab
COPY --from=first /one /one
RUN echo "<$WHERE>" > /two
#> sh cat /one /two
#> prints <first>
#> prints <>
