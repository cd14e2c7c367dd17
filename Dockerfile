# soflow in a container: `docker build -t soflow . && docker run --rm -v "$PWD:/work" soflow submit daily --sample`.
# The engine is made when it is first needed; with `--build-arg ENGINE=sail` it is in the image.

FROM rust:1.94-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --bin soflow

FROM python:3.11-slim-bookworm
ARG ENGINE=
RUN useradd --create-home soflow && install -d -o soflow /work /engines
COPY --from=build /source/target/release/soflow /usr/local/bin/soflow
USER soflow
ENV SOFLOW_ENGINE_DIR=/engines
RUN if [ -n "$ENGINE" ]; then soflow engine install --engine "$ENGINE"; fi
WORKDIR /work
ENTRYPOINT ["soflow"]
