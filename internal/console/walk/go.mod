// The walk through the page in a browser is a module of its own: what drives a
// browser is no concern of those who use the mock.
module github.com/mockfhir/mockfhir/internal/console/walk

go 1.26.0

require (
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
	github.com/mockfhir/mockfhir v0.0.0
)

require (
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/gorilla/mux v1.8.1 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
)

replace github.com/mockfhir/mockfhir => ../../..
