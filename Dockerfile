# The image: mockfhir, verify, certificates. Nothing else, no shell either.
# Another builder needs Go, its certificates, and no more:
#   docker build --build-arg BUILDER=my/golang --network=host -t mockfhir .
# make image writes the same image without a container engine.
ARG BUILDER=golang:1.26

# Without BuildKit, BUILDPLATFORM is not set, and "linux" is this machine's.
FROM --platform=${BUILDPLATFORM:-linux} ${BUILDER} AS build
WORKDIR /tmp
WORKDIR /src
ENV GOTOOLCHAIN=local
COPY . .
ARG TARGETARCH
ARG VERSION
ARG COMMIT
RUN ["go", "run", "./internal/dist/rootfs", "/rootfs"]

FROM scratch
ARG VERSION
ARG COMMIT
LABEL org.opencontainers.image.title="mockfhir" \
      org.opencontainers.image.description="A mock of the French health directory API (Annuaire Santé, FHIR R4), on fictitious people" \
      org.opencontainers.image.source="https://github.com/mockfhir/mockfhir" \
      org.opencontainers.image.documentation="https://github.com/mockfhir/mockfhir/blob/main/docs/containers.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /rootfs/ /
ENV MOCKFHIR_ADDR=:8080
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=3s --timeout=2s --retries=3 CMD ["/mockfhir", "healthcheck"]
ENTRYPOINT ["/mockfhir"]
