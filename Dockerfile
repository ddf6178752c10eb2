# The gateway and what it needs to run, nothing to build with. It expects its policy in
# /etc/gatehouse/policy.yaml, writes to no file, and needs no right of the system's:
#
#   docker build -t gatehouse .
#   docker run --read-only --cap-drop ALL -v "$PWD:/etc/gatehouse:ro" -p 8080:8080 gatehouse

FROM debian:trixie-slim AS build
WORKDIR /source
COPY deploy/install_missing deploy/packages deploy/
RUN deploy/install_missing deploy/packages
COPY meson.build ./
COPY auth auth
COPY proxy proxy
COPY gateway gateway
# tests/image, which measures nothing, builds with 0.
ARG OPTIMIZATION=2
RUN meson setup /build --werror --prefix /usr -Doptimization=$OPTIMIZATION -Ddebug=false \
  && ninja -C /build gateway/gatehouse \
  && install -D --strip /build/gateway/gatehouse /image/usr/bin/gatehouse
# The packages of the libraries that it is linked to: no list here that could become wrong.
RUN ldd /image/usr/bin/gatehouse | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | xargs -r realpath \
  | xargs -r dpkg-query --search | sed 's/:.*//' | sort -u > /libraries

FROM debian:trixie-slim
COPY --from=build /libraries /tmp/libraries
RUN apt-get update -qq \
  && xargs apt-get install -y -qq --no-install-recommends ca-certificates < /tmp/libraries > /dev/null \
  && rm -rf /tmp/libraries /var/lib/apt/lists/* /var/cache/* /var/log/*
COPY --from=build /image /
# By number: Kubernetes' runAsNonRoot cannot know who a name is.
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["gatehouse", "healthcheck"]
ENTRYPOINT ["gatehouse"]
CMD ["run"]
