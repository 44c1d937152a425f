// Package tools is the module of what builds images and releases. It is one of
// its own so that nobody who imports the mock gets its dependencies.
package tools
