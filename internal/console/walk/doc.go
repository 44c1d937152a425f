// Package walk walks through the demonstrator in a browser: its tests are all
// there is. They need chromium, and skip without it unless
// MOCKFHIR_CHROMIUM=required.
package walk
