# The image holds two static binaries and nothing else: the orchestrator, and the services of the example.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ENV CGO_ENABLED=0
RUN go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/orchestrator ./cmd/orchestrator \
 && go build -trimpath -buildvcs=false -ldflags "-s -w" -o /out/order-saga ./examples/order-saga

FROM gcr.io/distroless/static-debian12
COPY --from=build /out/ /
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENV LISTEN_ADDR=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["/orchestrator"]
CMD ["serve"]
