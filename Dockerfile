# The container image of ecr-gate, for those who have Docker: docker build --tag HOST/ecr-gate:TAG . && docker push HOST/ecr-gate:TAG
# `make image` makes the same without Docker. Take the images below by their digests if you want to know what you build on.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN CARGO_TARGET_DIR=/target cargo build --release --locked -p ecr-gate-cli && install -d -m 0700 /data

# The libraries of the Debian that it was built on, certificate authorities, no shell; the user `nonroot` is 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /target/release/ecr-gate /usr/local/bin/ecr-gate
COPY --from=build --chown=65532:65532 /data /var/lib/ecr-gate
ENV HOME=/tmp
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/ecr-gate"]
CMD ["--help"]
