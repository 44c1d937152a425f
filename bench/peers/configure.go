package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// peer is another mock server.
type peer struct {
	name     string
	hint     string          // how to have it measured
	find     func() []string // the command, nil when it is not there
	patience time.Duration   // until it serves
	// configure writes what it needs to serve the pages into a directory, and
	// returns its arguments. It listens on the first port; the second is free.
	configure func(dir string, ports []int, pages []page) ([]string, error)
}

var peers = []peer{
	{"WireMock", "put wiremock on the PATH, or the path of the standalone JAR into WIREMOCK_JAR", findWireMock, time.Minute, wireMock},
	{"Prism", "npm install -g @stoplight/prism-cli", onPath("prism"), time.Minute, prism},
	{"Mockoon", "npm install -g @mockoon/cli", onPath("mockoon-cli"), time.Minute, mockoon},
	{"mountebank", "npm install -g mountebank", onPath("mb"), time.Minute, mountebank},
}

func onPath(name string) func() []string {
	return func() []string {
		if path, err := exec.LookPath(name); err == nil {
			return []string{path}
		}
		return nil
	}
}

func findWireMock() []string {
	if jar := os.Getenv("WIREMOCK_JAR"); jar != "" {
		return []string{"java", "-jar", jar}
	}
	return onPath("wiremock")()
}

// write writes a value as JSON, or text as it is.
func write(dir, name string, value any) error {
	text, isText := value.([]byte)
	if !isText {
		var err error
		if text, err = json.Marshal(value); err != nil {
			return err
		}
	}
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

type object map[string]any

// wireMock: a mapping and a body file for each page
// (https://wiremock.org/docs/stubbing, https://wiremock.org/docs/standalone).
func wireMock(dir string, ports []int, pages []page) ([]string, error) {
	for i, p := range pages {
		file := fmt.Sprintf("body%d.json", i)
		if err := write(dir, "__files/"+file, p.body); err != nil {
			return nil, err
		}
		if err := write(dir, fmt.Sprintf("mappings/page%d.json", i), object{
			"request":  object{"method": "GET", "url": p.path},
			"response": object{"status": 200, "bodyFileName": file, "headers": object{"Content-Type": p.mediaType()}},
		}); err != nil {
			return nil, err
		}
	}
	return []string{"--port", strconv.Itoa(ports[0]), "--bind-address", "127.0.0.1", "--root-dir", dir, "--no-request-journal", "--disable-request-logging", "--disable-banner"}, nil
}

// prism: an OpenAPI document with each page as the example of its operation
// (https://docs.stoplight.io/docs/prism).
func prism(dir string, ports []int, pages []page) ([]string, error) {
	paths := object{}
	for _, p := range pages {
		mediaType, _, _ := strings.Cut(p.mediaType(), ";")
		paths[p.path] = object{"get": object{"responses": object{"200": object{
			"description": p.name,
			"content":     object{mediaType: object{"example": json.RawMessage(p.body)}},
		}}}}
	}
	document := object{"openapi": "3.0.3", "info": object{"title": "pages", "version": "1"}, "paths": paths}
	return []string{"mock", "--verboseLevel", "silent", "--host", "127.0.0.1", "--port", strconv.Itoa(ports[0]), "pages.json"}, write(dir, "pages.json", document)
}

// mockoon: an environment with a route for each page, templates off
// (https://mockoon.com/cli).
func mockoon(dir string, ports []int, pages []page) ([]string, error) {
	id := func(kind, i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%06d%06d", kind, i) }
	var routes, children []object
	for i, p := range pages {
		children = append(children, object{"type": "route", "uuid": id(1, i)})
		routes = append(routes, object{
			"uuid": id(1, i), "type": "http", "documentation": "", "method": "get", "endpoint": strings.TrimPrefix(p.path, "/"),
			"responses": []object{{
				"uuid": id(2, i), "body": string(p.body), "bodyType": "INLINE", "latency": 0, "statusCode": 200, "label": "",
				"headers":  []object{{"key": "Content-Type", "value": p.mediaType()}},
				"filePath": "", "databucketID": "", "sendFileAsBody": false, "rules": []object{}, "rulesOperator": "OR",
				"disableTemplating": true, "fallbackTo404": false, "default": true, "crudKey": "id", "callbacks": []object{},
			}},
			"responseMode": nil, "streamingMode": nil, "streamingInterval": 0,
		})
	}
	environment := object{
		"uuid": id(0, 0), "lastMigration": 33, "name": "pages", "endpointPrefix": "", "latency": 0, "port": ports[0], "hostname": "127.0.0.1",
		"folders": []object{}, "routes": routes, "rootChildren": children,
		"proxyMode": false, "proxyHost": "", "proxyRemovePrefix": false, "cors": false, "headers": []object{},
		"tlsOptions":      object{"enabled": false, "type": "CERT", "pfxPath": "", "certPath": "", "keyPath": "", "caPath": "", "passphrase": ""},
		"proxyReqHeaders": []object{}, "proxyResHeaders": []object{}, "data": []object{}, "callbacks": []object{},
	}
	return []string{"start", "--data", "environment.json", "--disable-log-to-file", "--repair"}, write(dir, "environment.json", environment)
}

// mountebank: one imposter with a stub for each page
// (https://www.mbtest.org/docs/api/contracts).
func mountebank(dir string, ports []int, pages []page) ([]string, error) {
	var stubs []object
	for _, p := range pages {
		stubs = append(stubs, object{
			"predicates": []object{{"equals": object{"method": "GET", "path": p.path}}},
			"responses": []object{{"is": object{"statusCode": 200, "body": string(p.body),
				"headers": object{"Content-Type": p.mediaType(), "Connection": "keep-alive"}, // it closes otherwise
			}}},
		})
	}
	imposters := object{"imposters": []object{{"port": ports[0], "protocol": "http", "host": "127.0.0.1", "stubs": stubs}}}
	return []string{"start", "--host", "127.0.0.1", "--port", strconv.Itoa(ports[1]), "--nologfile", "--loglevel", "error", "--noParse", "--configfile", "imposters.json"},
		write(dir, "imposters.json", imposters)
}
