package mockserver

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// bootError is the page of Spring Boot for what no servlet answers
// (ans-server.md §1.1, §1.4).
func (c *call) bootError(status int, path string) {
	body, err := json.Marshal(struct {
		Timestamp string `json:"timestamp"`
		Status    int    `json:"status"`
		Error     string `json:"error"`
		Path      string `json:"path"`
	}{c.now().UTC().Format("2006-01-02T15:04:05.000+00:00"), status, http.StatusText(status), path})
	if err != nil {
		panic(err) // four plain members
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
}

// tomcatPage is what Tomcat answers to a request target it does not parse
// (ans-server.md §1.5).
const tomcatPage = `<!doctype html><html lang="en"><head><title>HTTP Status 400 – Bad Request</title><style type="text/css">body {font-family:Tahoma,Arial,sans-serif;} h1, h2, h3, b {color:white;background-color:#525D76;} h1 {font-size:22px;} h2 {font-size:16px;} h3 {font-size:14px;} p {font-size:12px;} a {color:black;} .line {height:1px;background-color:#525D76;border:none;}</style></head><body><h1>HTTP Status 400 – Bad Request</h1></body></html>`

func (c *call) tomcatBadRequest() {
	h := c.w.Header()
	h.Set("Content-Type", "text/html;charset=utf-8")
	h.Set("Content-Language", "en")
	h.Set("Content-Length", strconv.Itoa(len(tomcatPage)))
	h.Set("Connection", "close")
	c.w.WriteHeader(http.StatusBadRequest)
	_, _ = c.w.Write([]byte(tomcatPage))
}
