// Package container is a project that uses mockfhir as anybody outside would:
// mockcontainer starts the mock, and the contract is held against it. Its tests
// are at once those of the image, with a real engine:
//
//	go test ./...
//
// Without an engine they are skipped, unless MOCKFHIR_DOCKER=required says that
// there should be one. MOCKFHIR_IMAGE names an image to test; otherwise one is
// built from the Dockerfile, in a builder made from the Go that is installed.
package container
