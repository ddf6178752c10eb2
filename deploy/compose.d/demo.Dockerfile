# The demo backend of compose.yaml: knows no authentication, and hears only the gateways.
FROM debian:trixie-slim
RUN apt-get update -qq \
  && apt-get install -y -qq --no-install-recommends python3-websockets > /dev/null \
  && rm -rf /var/lib/apt/lists/*
COPY demo_backend.py /
USER 65532:65532
CMD ["python3", "/demo_backend.py", "9001", "0.0.0.0"]
