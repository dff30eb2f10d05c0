# The operator's image: one static binary and nothing else. `docker build .` on any machine, for any of the platforms
# that .github/workflows/release.yml names. Where no base image can be pulled, `cargo xtask image` builds the binary on
# the machine itself and makes the image from the last stage below.

# The build runs on the builder's own platform and compiles for the other one: no emulation.
FROM --platform=$BUILDPLATFORM docker.io/library/rust:1.95-alpine AS build
ARG TARGETARCH
RUN apk add --no-cache clang musl-dev
WORKDIR /src
COPY . .
# Across architectures, clang compiles the C and assembler of ring, which needs no C library, and rust-lld links with the
# C library that comes with rustc.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,id=target-$TARGETARCH \
    case "$TARGETARCH" in \
        amd64) target=x86_64-unknown-linux-musl ;; \
        arm64) target=aarch64-unknown-linux-musl ;; \
        *) echo "there is no build for $TARGETARCH; use amd64 or arm64" >&2; exit 1 ;; \
    esac \
    && if ! rustc -vV | grep -qx "host: $target"; then \
        rustup target add "$target" \
        && export CC=clang "CARGO_TARGET_$(echo "$target" | tr a-z- A-Z_)_LINKER=rust-lld"; \
    fi \
    && cargo build --locked --release --target "$target" --package memcached-operator --bin memcached-operator \
    && install -D "target/$target/release/memcached-operator" /out/memcached-operator

# No shell, no libraries, no user database: the numeric user is what `runAsNonRoot` can check. Nothing is written, so the
# root may be read-only. Certificates are not needed: the service account brings the cluster's own.
FROM scratch
COPY --from=build /out/memcached-operator /memcached-operator
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/memcached-operator"]
