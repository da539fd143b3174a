# ENV wins over ARG of the same name.
FROM busybox:lab
ARG WHO=argument
ENV WHO=${WHO:-nobody}-kept
RUN echo $WHO > /said
#> build --build-arg WHO=given
#> sh cat /said; echo $WHO
#> prints given-kept
#> prints given-kept
