# A comment between continued lines is left out, and so are empty lines.
FROM busybox:lab
RUN echo one > /said && \
    # this is not a comment of the shell
    echo two >> /said && \

    echo three >> /said
  # indented
RUN echo 'four # not a comment' >> /said
#> sh cat /said
#> prints one
#> prints two
#> prints three
#> prints four # not a comment
